"""Starts and stops Landfall on the local cloud.

`up` starts MiniStack on the loopback interface, deploys the real template to it with
`sam deploy`, uploads the Glue job and the contracts, and starts the stand-ins for what
MiniStack lacks. `down` stops every process of the stack.

    python -m local.cloud up [--stack NAME] [--region REGION] [--port PORT]
    python -m local.cloud down [--stack NAME]
"""

import argparse
import http.client
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from local import build, console, processes
from local.spark import jars
from local.stack import (
    DEFAULT_NAME,
    DEFAULT_REGION,
    ROOT,
    SAM_BUILD,
    VENV,
    LocalCloudError,
    Stack,
    environment,
    host_architecture,
    state_dir,
    with_path,
)

_HOST = "127.0.0.1"
_USUAL_PORT = 4566
_HEALTH_SECONDS = 60
_SECRET_NAME = "landfall/snowflake"
_SNOWFLAKE_USER = "LANDFALL"


def up(
    name: str = DEFAULT_NAME,
    region: str = DEFAULT_REGION,
    *,
    port: int | None = None,
    parameters: Mapping[str, str] | None = None,
    ready_built: bool = False,
) -> Stack:
    """Brings a stack up, or deploys again to one that is up already.

    `parameters` are template parameters beyond samconfig's. What was started is stopped
    again when a later step fails.
    """
    directory = state_dir(name)
    architecture = host_architecture()
    if not ready_built:
        build.build(architecture)

    stack = _running(name, region)
    if stack is None:
        processes.stop_all(directory)
        shutil.rmtree(directory, ignore_errors=True)
        # Lambda code, and the /tmp of everything that runs in the cloud.
        (directory / "tmp").mkdir(parents=True)
    try:
        if stack is None:
            stack = _start_cloud(name, region, port)
            _start_snowflake(stack)
        _deploy(stack, {"Architecture": architecture, **(parameters or {})})
        _upload(stack)
        _start_glue_runner(stack)
        stack.processes = {process.name: process.pid for process in processes.recorded(directory)}
        stack.write()
    except BaseException:
        down(name, keep_logs=True)
        raise
    return stack


def down(name: str = DEFAULT_NAME, *, keep_logs: bool = False) -> int:
    """Stops every process of the stack and forgets its state; returns how many it stopped."""
    directory = state_dir(name)
    with _uninterrupted():
        stopped = processes.stop_all(directory)
    if keep_logs:
        shutil.rmtree(directory / "tmp", ignore_errors=True)
    else:
        shutil.rmtree(directory, ignore_errors=True)
    return len(stopped)


def _running(name: str, region: str) -> Stack | None:
    directory = state_dir(name)
    alive = {process.name for process in processes.recorded(directory) if process.is_alive()}
    if "ministack" not in alive:
        return None
    try:
        stack = Stack.read(directory / "stack.json")
    except LocalCloudError:
        return None
    if stack.region != region:
        raise LocalCloudError(
            f"stack {name} is up in {stack.region}: stop it with `make down STACK={name}`, or "
            "give the second one another name"
        )
    console.say(f"  {name} is up at {stack.endpoint}: deploying to it again")
    return stack


def free_port(preferred: int) -> int:
    """The preferred port when nothing listens there, else one the kernel picks."""
    for port in (preferred, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            # As servers do: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            chosen: int = probe.getsockname()[1]
            return chosen
    raise LocalCloudError("there is no free port on the loopback interface")


def _start_cloud(name: str, region: str, port: int | None) -> Stack:
    directory = state_dir(name)
    port = free_port(_USUAL_PORT) if port is None else port
    endpoint = f"http://{_HOST}:{port}"
    variables = with_path(environment(region, endpoint), "tools") | {
        # Where the Glue runner leaves word of how a run ended.
        "LANDFALL_GLUE_RUNS": str(_glue_runs(directory)),
        "GATEWAY_PORT": str(port),
        # It would listen on every interface otherwise.
        "BIND_HOST": _HOST,
        "MINISTACK_REGION": region,
        # Lambda execution roles hold: a missing permission fails here as it would on AWS.
        "AUTH": "true",
        # Two stacks must not share scratch files, and nothing may stay behind.
        "TMPDIR": str(directory / "tmp"),
        # The local cloud never starts a container, and never reaps someone else's.
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        "LAMBDA_EXECUTOR": "local",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with console.Phase(f"start MiniStack at {endpoint}") as phase:
        process = processes.start(
            "ministack",
            # Isolated: no module beside the script stands in for one of MiniStack's.
            [str(VENV / "cloud" / "bin" / "python"), "-Iu", str(ROOT / "local" / "gateway.py")],
            variables,
            directory,
            directory,
        )
        while not _is_healthy(endpoint):
            if not process.is_alive():
                raise LocalCloudError(f"MiniStack ended:\n{_log_tail(directory, 'ministack')}")
            if phase.elapsed() > _HEALTH_SECONDS:
                raise LocalCloudError(
                    f"MiniStack is not healthy after {_HEALTH_SECONDS} s:\n"
                    f"{_log_tail(directory, 'ministack')}"
                )
            phase.update()
            time.sleep(0.1)
    return Stack(name=name, region=region, endpoint=endpoint)


def _is_healthy(endpoint: str) -> bool:
    # No proxy: the address is a loopback one, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint}/_ministack/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return False


def _start_snowflake(stack: Stack) -> None:
    """Starts the Snowflake stand-in, and stores the key pair that the function signs with."""
    port = free_port(0)
    log = stack.directory / "snowflake-requests.jsonl"
    # A copy of its own: the next build could not replace a program that runs.
    program = stack.directory / "snowflake-stand-in"
    shutil.copy2(ROOT / "target" / "lambda" / "snowflake-stand-in" / "bootstrap", program)
    with console.Phase(f"start the Snowflake stand-in at http://{_HOST}:{port}"):
        made = subprocess.run(
            [str(VENV / "cloud" / "bin" / "python"), "-c", _MAKE_KEY_PAIR],
            capture_output=True,
            check=True,
            text=True,
        )
        keys = json.loads(made.stdout)
        public_key = stack.directory / "snowflake-public-key.pem"
        public_key.write_text(keys["public"])
        secret = json.dumps({"user": _SNOWFLAKE_USER, "privateKey": keys["private"]})
        arn = stack.client("secretsmanager").create_secret(Name=_SECRET_NAME, SecretString=secret)
        process = processes.start(
            "snowflake-stand-in",
            [
                str(program),
                *("--port", str(port)),
                *("--public-key", str(public_key)),
                *("--log", str(log)),
            ],
            environment(stack.region),
            stack.directory,
            stack.directory,
        )
        deadline = time.monotonic() + 10
        while not _listens(port):
            if not process.is_alive() or time.monotonic() > deadline:
                raise LocalCloudError(
                    "the Snowflake stand-in did not start:\n"
                    + _log_tail(stack.directory, "snowflake-stand-in")
                )
            time.sleep(0.05)
    stack.snowflake = {
        "url": f"http://{_HOST}:{port}",
        "log": str(log),
        "secretArn": arn["ARN"],
        "user": _SNOWFLAKE_USER,
    }


# Run by MiniStack's virtual environment, which has the cryptography package.
_MAKE_KEY_PAIR = """
import json
from cryptography.hazmat.primitives import serialization as to
from cryptography.hazmat.primitives.asymmetric import rsa
key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
print(json.dumps({
    "private": key.private_bytes(
        to.Encoding.PEM, to.PrivateFormat.PKCS8, to.NoEncryption()).decode(),
    "public": key.public_key().public_bytes(
        to.Encoding.PEM, to.PublicFormat.SubjectPublicKeyInfo).decode(),
}))
"""


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex((_HOST, port)) == 0


def _deploy(stack: Stack, parameters: dict[str, str]) -> None:
    known = build.template_parameters()
    snowflake = {
        "SnowflakeUrl": stack.snowflake["url"],
        "SnowflakeSecretArn": stack.snowflake["secretArn"],
    }
    stack.parameters = {
        name: value for name, value in {**snowflake, **parameters}.items() if name in known
    }
    for name in parameters.keys() - known:
        raise LocalCloudError(f"template.yaml has no parameter {name}")
    command = [
        "sam",
        "deploy",
        "--config-env",
        "local",
        "--config-file",
        str(ROOT / "samconfig.toml"),
        "--template-file",
        str(SAM_BUILD / "template.yaml"),
        "--stack-name",
        stack.name,
        "--region",
        stack.region,
        "--no-confirm-changeset",
        "--no-fail-on-empty-changeset",
        *build.overrides(stack.parameters),
    ]
    log = stack.directory / "deploy.log"
    with console.Phase(f"sam deploy ({stack.name})") as phase, log.open("w") as output:
        child = subprocess.Popen(
            command,
            cwd=ROOT,
            env=with_path(environment(stack.region, stack.endpoint), "sam"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while child.poll() is None:
                phase.update(_last_line(log))
                time.sleep(0.25)
        finally:
            if child.poll() is None:
                child.terminate()
                child.wait()
        if child.returncode != 0:
            raise LocalCloudError(
                f"sam deploy failed; the end of {log}:\n{_log_tail(stack.directory, 'deploy', 60)}"
            )
    described = stack.client("cloudformation").describe_stacks(StackName=stack.name)
    stack.outputs = {
        output["OutputKey"]: output["OutputValue"]
        for output in described["Stacks"][0].get("Outputs", [])
    }


def _upload(stack: Stack) -> None:
    """Puts the job script where the deployed job looks for it, and the example contracts."""
    s3 = stack.client("s3")
    job = stack.client("glue").get_job(JobName=stack.output("GlueJobName"))["Job"]
    bucket, _, key = job["Command"]["ScriptLocation"].removeprefix("s3://").partition("/")
    s3.put_object(Bucket=bucket, Key=key, Body=(ROOT / "jobs" / "ingest.py").read_bytes())
    contracts = sorted((ROOT / "contracts").glob("*.yaml"))
    for path in contracts:
        upload_contract(stack, path)
    console.say(f"  uploaded the Glue job and {len(contracts)} contracts")


def upload_contract(stack: Stack, path: Path) -> None:
    """Uploads a contract to the config bucket, its `LANDING_BUCKET` made the stack's own."""
    text = path.read_text().replace("LANDING_BUCKET", stack.output("LandingBucket"))
    stack.client("s3").put_object(
        Bucket=stack.output("ConfigBucket"), Key=f"contracts/{path.name}", Body=text.encode()
    )


def _start_glue_runner(stack: Stack) -> None:
    alive = {process.name for process in processes.recorded(stack.directory) if process.is_alive()}
    if "glue-runner" in alive:
        return
    if (lack := jars.missing()) is None:
        jars.fetch()
    else:
        console.say(console.warn(f"  no Glue run will succeed here: {lack}"))
    command = [sys.executable, "-m", "local.glue_runner"]
    command += ["--job", stack.output("GlueJobName"), "--runs", str(_glue_runs(stack.directory))]
    processes.start("glue-runner", command, stack.environment(), stack.directory, ROOT)


def _glue_runs(directory: Path) -> Path:
    return directory / "glue-runs"


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip(" -\t")), "")


def _log_tail(directory: Path, name: str, lines: int = 25) -> str:
    text = (directory / f"{name}.log").read_text(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


def aws_command(stack: Stack) -> str:
    """The AWS CLI with everything it needs to reach the stack, to be pasted into a shell."""
    return (
        f"AWS_ACCESS_KEY_ID={stack.access_key_id} "
        f"AWS_SECRET_ACCESS_KEY={stack.secret_access_key} AWS_REGION={stack.region} "
        f"AWS_ENDPOINT_URL={stack.endpoint} {VENV / 'tools' / 'bin' / 'aws'}"
    )


def _describe(stack: Stack) -> None:
    console.heading(f"{stack.name} is up")
    console.table(
        [
            ["endpoint", stack.endpoint],
            ["region", stack.region],
            ["landing", f"s3://{stack.output('LandingBucket')}"],
            ["state", str(stack.directory)],
        ]
    )
    samples = sorted((ROOT / "samples").glob("**/*.csv"))
    if samples:
        sample = samples[0].relative_to(ROOT)
        key = sample.relative_to("samples")
        console.say()
        console.say("  Land a file:")
        console.say(
            f"    {aws_command(stack)} s3 cp {sample} s3://{stack.output('LandingBucket')}/{key}"
        )
    console.say()
    console.say("  Follow it:")
    console.say(
        f"    {aws_command(stack)} stepfunctions list-executions "
        f"--state-machine-arn {stack.output('StateMachineArn')}"
    )
    suffix = "" if stack.name == DEFAULT_NAME else f" STACK={stack.name}"
    console.say()
    console.say(f"  Stop it: make down{suffix}")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C must not leave half of the processes behind."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, handlers, strict=True):
            signal.signal(number, handler)


def exit_on_sigterm() -> None:
    """Makes SIGTERM unwind the stack, so that what was started is stopped again."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop)


def main() -> int:
    """Runs `up` or `down`."""
    parser = argparse.ArgumentParser(description="Landfall on the local cloud.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("up", "down"):
        options = commands.add_parser(command)
        options.add_argument("--stack", default=DEFAULT_NAME, help="default: %(default)s")
        if command == "up":
            options.add_argument("--region", default=DEFAULT_REGION, help="default: %(default)s")
            options.add_argument("--port", type=int, help="default: 4566, or a free one")
            options.add_argument(
                "--parameter",
                action="append",
                default=[],
                metavar="NAME=VALUE",
                help="a template parameter; may be repeated",
            )
            options.add_argument(
                "--ready-built", action="store_true", help="deploy what the last build made"
            )
    arguments = parser.parse_args()
    exit_on_sigterm()
    try:
        if arguments.command == "down":
            stopped = down(arguments.stack)
            console.say(f"stopped {stopped} processes of {arguments.stack}")
            return 0
        parameters = dict(pair.split("=", 1) for pair in arguments.parameter)
        stack = up(
            arguments.stack,
            arguments.region,
            port=arguments.port,
            parameters=parameters,
            ready_built=arguments.ready_built,
        )
        _describe(stack)
    except (LocalCloudError, KeyboardInterrupt) as error:
        console.say(console.bad(str(error) or "interrupted"))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
