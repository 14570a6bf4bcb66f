"""A storm of small files on the local cloud: nothing lost, nothing doubled."""
