"""The Glue job on this machine's Spark.

The job is a script of its own and no part of a package: here it is imported by its name.
"""

import sys

from local.stack import ROOT

if str(ROOT / "jobs") not in sys.path:
    sys.path.insert(0, str(ROOT / "jobs"))
