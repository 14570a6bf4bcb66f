"""Spark on this machine, in the place of AWS Glue's."""
