"""datacontract-cli on the same contract that Landfall reads, with a local server.

It counts what fails, or stops at the first value that has not the column's type; it names no
records.
"""

import sys
from pathlib import Path

import yaml
from datacontract.data_contract import DataContract

from local.bench_check import orders
from local.bench_check.peers import _arguments


def main() -> None:
    """Checks the file."""
    path, unique = _arguments.parse()
    document = yaml.safe_load(orders.contract("csv", unique))
    document["servers"] = [
        {"server": "landing", "type": "local", "path": str(Path(path).resolve()), "format": "csv"}
    ]
    run = DataContract(data_contract_str=yaml.safe_dump(document), server="landing").test()
    failed = [check for check in run.checks if check.result in ("failed", "error")]
    for check in failed:
        reason = (check.reason or "").splitlines()
        print(check.result, check.name, *reason[:3], sep=": ", file=sys.stderr)
    errors = sum(check.result == "error" for check in failed)
    note = f"{len(run.checks)} checks, {len(failed) - errors} failed"
    _arguments.answer(None, f"{note}, {errors} could not run" if errors else note)


if __name__ == "__main__":
    main()
