"""One Landfall stack on the local cloud: where its state lives and how to reach it."""

import json
import os
import platform
import re
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
SAM_BUILD = ROOT / ".aws-sam" / "build"
# MiniStack takes these keys as the account's root. They open nothing else.
ACCESS_KEY_ID = "test"
SECRET_ACCESS_KEY = "test"
DEFAULT_NAME = "landfall"
DEFAULT_REGION = "us-east-1"


class LocalCloudError(Exception):
    """Something a person must mend; the message says what and how."""


def state_dir(name: str) -> Path:
    """The directory of everything that belongs to the stack: `.local/<name>`."""
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", name):
        raise LocalCloudError(
            f"stack name {name!r} does not fit: lower-case letters, digits and hyphens, starting "
            "with a letter, at most 31 characters"
        )
    return ROOT / ".local" / name


def host_architecture() -> str:
    """This machine's Lambda architecture: the local cloud runs the binaries themselves."""
    if platform.system() != "Linux":
        raise LocalCloudError(
            "the local cloud runs the Lambda binaries natively and they are Linux binaries: use "
            f"Linux, WSL or a Linux virtual machine (this is {platform.system()})"
        )
    machine = platform.machine().lower()
    if machine in ("x86_64", "amd64"):
        return "x86_64"
    if machine in ("aarch64", "arm64"):
        return "arm64"
    raise LocalCloudError(f"Lambda has no architecture for {machine}: use x86_64 or arm64")


def environment(region: str, endpoint: str | None = None) -> dict[str, str]:
    """The environment for everything that talks to the local cloud.

    No credential, profile or configuration of the user's survives in it: whatever goes wrong,
    no request reaches a real account.
    """
    variables = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SAM_CLI_", "MINISTACK_", "LOCALSTACK_"))
    }
    no_proxy = ",".join(filter(None, [variables.get("NO_PROXY", ""), "127.0.0.1,localhost"]))
    variables |= {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "SAM_CLI_TELEMETRY": "0",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }
    if endpoint:
        variables["AWS_ENDPOINT_URL"] = endpoint
    return variables


def with_path(variables: dict[str, str], *virtual_environments: str) -> dict[str, str]:
    """The variables with the programs of our virtual environments first on the PATH."""
    first = [str(VENV / name / "bin") for name in virtual_environments]
    return variables | {"PATH": os.pathsep.join([*first, variables.get("PATH", os.defpath)])}


@dataclass
class Stack:
    """A running stack, as `.local/<name>/stack.json` describes it.

    `outputs` are the CloudFormation outputs. `snowflake` has the address of the Snowflake
    stand-in, its request log and its secret. `parameters` are the template parameters it was
    deployed with. `tools_python` is the interpreter that has PyIceberg.
    """

    name: str
    region: str
    endpoint: str
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    snowflake: dict[str, str] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    access_key_id: str = ACCESS_KEY_ID
    secret_access_key: str = SECRET_ACCESS_KEY
    root: str = str(ROOT)
    tools_python: str = sys.executable

    @property
    def directory(self) -> Path:
        """`.local/<name>`."""
        return state_dir(self.name)

    def output(self, name: str) -> str:
        """One CloudFormation output."""
        try:
            return self.outputs[name]
        except KeyError:
            raise LocalCloudError(
                f"stack {self.name} has no output {name}: template.yaml must declare it"
            ) from None

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes clients at run time
        """A boto3 client of the local cloud."""
        # Imported here so that the commands that need no SDK start without it.
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(
                retries={"max_attempts": 4, "mode": "standard"},
                s3={"addressing_style": "path"},
                # Step Functions and others put a prefix before the host, which has no name
                # on a loopback address.
                inject_host_prefix=False,
                proxies={},
            ),
        )

    def environment(self) -> dict[str, str]:
        """The environment for programs that talk to this stack."""
        return with_path(environment(self.region, self.endpoint), "tools")

    def write(self) -> None:
        """Writes `stack.json`."""
        path = self.directory / "stack.json"
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(asdict(self), indent=2) + "\n")
        scratch.replace(path)

    @staticmethod
    def read(path: Path) -> "Stack":
        """Reads a `stack.json`."""
        try:
            return Stack(**json.loads(path.read_text()))
        except FileNotFoundError:
            raise LocalCloudError(f"there is no {path}: start the stack with `make up`") from None
