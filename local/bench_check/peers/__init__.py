"""One program for each peer, as somebody who knows the tool would write it.

Each is run as `python -m local.bench_check.peers.<name> FILE [--unique]` and prints one JSON
document: `{"records": [...]}` with the numbers of the records that it calls bad, from 1, or
`{"records": null, "note": ...}` when the tool cannot name them.
"""
