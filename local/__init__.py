"""Landfall on a laptop: the local cloud, the demo, and the tools that tests and CI use.

Nothing here is deployed. Run modules from the repository root, as the Makefile does:
`.venv/tools/bin/python -m local.cloud up`.
"""
