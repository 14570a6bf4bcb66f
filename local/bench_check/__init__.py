"""Measures `landfall check` against other checkers on the same files: `make bench-check`."""
