"""`sam build` of the real template, with progress; and what it needs from cargo.

SAM keeps cargo's output to itself until it ends, which on a cold clone is minutes of
silence. So cargo compiles first, by itself, and says what.
"""

import argparse
import fcntl
import queue
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import console
from local.stack import (
    DEFAULT_REGION,
    ROOT,
    LocalCloudError,
    environment,
    host_architecture,
    with_path,
)

_LOG_TAIL_LINES = 40


def template_parameters() -> set[str]:
    """Names of the template's parameters."""
    # Imported here: building alone needs no YAML.
    import yaml

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's short tags (`!Ref`) as nothing: only names matter here."""

    Loader.add_multi_constructor("!", lambda *_: None)
    document = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader
    return set(document.get("Parameters", {}))


def overrides(parameters: dict[str, str]) -> list[str]:
    """`--parameter-overrides` of samconfig's local environment with these on top.

    SAM takes the command line's parameters instead of samconfig's, not beside them.
    """
    merged = _samconfig_parameters() | parameters
    if not merged:
        return []
    return ["--parameter-overrides", *(f"{name}={value}" for name, value in merged.items())]


def _samconfig_parameters() -> dict[str, str]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    config = tomllib.loads((ROOT / "samconfig.toml").read_text()).get("local", {})
    given: object = None
    for command in ("global", "deploy"):
        given = config.get(command, {}).get("parameters", {}).get("parameter_overrides", given)
    if given is None:
        return {}
    if isinstance(given, dict):
        return {name: str(value) for name, value in given.items()}
    pairs = given if isinstance(given, list) else str(given).split()
    return {
        name: value.strip("\"'") for name, _, value in (str(pair).partition("=") for pair in pairs)
    }


# A panic ends the process, so nothing unwinds a stack; the tables for it would be a twentieth of
# what a cold start downloads. A profile of cargo cannot say so, and its configuration file would
# say it to the tests, whose panics do unwind.
_WITHOUT_UNWIND_TABLES = {
    f"CARGO_TARGET_{target}_UNKNOWN_LINUX_GNU_RUSTFLAGS": "-C force-unwind-tables=no"
    for target in ("X86_64", "AARCH64")
}


def build(architecture: str | None = None) -> float:
    """Builds the deployment artifacts into `.aws-sam/build`; returns the seconds it took."""
    architecture = architecture or host_architecture()
    _compile(architecture)
    command = [
        "sam",
        "build",
        "--config-env",
        "local",
        "--config-file",
        str(ROOT / "samconfig.toml"),
        *overrides({"Architecture": architecture}),
    ]
    with _one_build_at_a_time(), console.Phase(f"sam build ({architecture})") as phase:
        _run_with_progress(command, ROOT / ".local" / "build.log", phase)
    return phase.seconds


def _compile(architecture: str) -> float:
    """Compiles every binary at once, the stand-ins too; returns the seconds it took.

    SAM builds one function after the other, each waiting for its own last crate on one core.
    Compiled together first, and with the same options, they leave SAM nothing but to copy.
    """
    command = ["cargo", "lambda", "build", "--release", "--locked"]
    if architecture == "arm64":
        command.append("--arm64")
    with _one_build_at_a_time(), console.Phase(f"compile ({architecture})") as phase:
        _run_with_progress(command, ROOT / ".local" / "compile.log", phase)
    return phase.seconds


@contextmanager
def _one_build_at_a_time() -> Iterator[None]:
    """Two stacks may come up together; `.aws-sam/build` is one directory."""
    directory = ROOT / ".local"
    directory.mkdir(exist_ok=True)
    with (directory / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run_with_progress(command: list[str], log: Path, phase: console.Phase) -> None:
    lines: queue.Queue[str] = queue.Queue()
    with log.open("w") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=with_path(environment(DEFAULT_REGION), "sam") | _WITHOUT_UNWIND_TABLES,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert child.stdout is not None  # noqa: S101 - stdout=PIPE

        def read() -> None:
            for line in child.stdout or ():
                output.write(line)
                lines.put(line.rstrip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            step, crates = "", 0
            while child.poll() is None:
                while not lines.empty():
                    line = lines.get()
                    crates += _is_compiling(line)
                    step = _step_in(line) or step
                phase.update(f"{step}, crate {crates}" if crates else step)
                time.sleep(0.5)
            reader.join()
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
    if child.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
        raise LocalCloudError(f"`{' '.join(command)}` failed; the end of {log}:\n{tail}")


def _is_compiling(line: str) -> bool:
    """Whether cargo says in this line that it begins with a crate."""
    return line.lstrip().startswith("Compiling ")


def _step_in(line: str) -> str | None:
    """What a line of SAM's or cargo's output says is happening now."""
    if match := re.search(r"functions?: ([\w, ]+)$", line):
        return match[1].strip()
    if match := re.match(r"\s*(?:Compiling|Downloading|Downloaded) (\S+)", line):
        return match[1]
    return None


def main() -> int:
    """Builds for one architecture."""
    parser = argparse.ArgumentParser(description="Build the deployment artifacts with sam build.")
    parser.add_argument(
        "--architecture", choices=["arm64", "x86_64"], help="default: this machine's"
    )
    arguments = parser.parse_args()
    try:
        build(arguments.architecture)
    except LocalCloudError as error:
        console.say(console.bad(str(error)))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
