"""Lints the state machines: statelint, a linter made for the Amazon States Language, for the
states; a JSONata parser for every expression, which statelint does not look into.

The definitions hold CloudFormation substitutions (`${...}`), some where a number belongs, so
they are no JSON until those are filled in: with a function's ARN where one is the whole text,
else with a number.

    python -m local.asl_lint
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import jsonata

from local import console
from local.stack import ROOT, VENV


def substituted(definition: str) -> str:
    """The definition as it could be deployed."""
    whole_texts = re.sub(
        r'"\$\{(\w+)\}"', r'"arn:aws:lambda:us-east-1:123456789012:function:\1"', definition
    )
    return re.sub(r"\$\{\w+\}", "60", whole_texts)


def expressions(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """(JSON pointer, expression) of every `{% ... %}` in the definition."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from expressions(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from expressions(item, f"{path}/{index}")
    elif isinstance(value, str) and value.startswith("{%") and value.endswith("%}"):
        yield path, value[2:-2].strip()


def jsonata_problems(definition: str) -> list[str]:
    """Where an expression does not parse, and why."""
    found = []
    for path, expression in expressions(json.loads(definition)):
        try:
            jsonata.Jsonata(expression)
        except jsonata.JException as error:
            found.append(f"{path}: {error} in {expression}")
    return found


# What Step Functions knows beyond the specification that statelint goes by:
# https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html
_BEYOND_THE_SPECIFICATION = {
    "Label": lambda value: isinstance(value, str),
    "InputType": {"CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"}.__contains__,
    "Transformation": {"NONE", "LOAD_AND_FLATTEN"}.__contains__,
}


def as_specified(value: object) -> object:
    """The definition without those fields, as far as their values are ones that AWS takes."""
    if isinstance(value, dict):
        return {
            key: as_specified(item)
            for key, item in value.items()
            if not (key in _BEYOND_THE_SPECIFICATION and _BEYOND_THE_SPECIFICATION[key](item))
        }
    return [as_specified(item) for item in value] if isinstance(value, list) else value


def problems(definition: str) -> list[str]:
    """What is wrong with a definition whose substitutions are filled in."""
    with tempfile.NamedTemporaryFile("w", suffix=".asl.json") as file:
        json.dump(as_specified(json.loads(definition)), file)
        file.flush()
        command = [str(VENV / "tools" / "bin" / "statelint"), file.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [] if done.returncode == 0 else [f"{done.stdout}{done.stderr}".strip()]
    return found or jsonata_problems(definition)


def main() -> int:
    """Lints every definition."""
    failed = False
    for path in sorted((ROOT / "statemachines").glob("*.asl.json")):
        found = problems(substituted(path.read_text()))
        name = Path(path).relative_to(ROOT)
        if found:
            failed = True
            console.say(console.bad("\n  ".join([f"  {name}", *found])))
        else:
            console.say(f"  {name}: {console.good('valid')}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
