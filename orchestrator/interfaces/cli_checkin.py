"""The command that writes a check-in script for one host, signed, to be carried there on a stick.

Never sends anything to a host and never journals a token: the inspection that a check-in becomes names its digest.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.interfaces.documents import CheckIn
from orchestrator.interfaces.output import Commands, clock, show
from orchestrator.interfaces.places import state_of
from orchestrator.interfaces.signing import KEY_HELP, signed_text

NAMESPACE = "relance-checkin@v1"
HOURS, HOURS_MAX = 24, 168


def add(commands: Commands) -> None:
    """Declares checkin."""
    parser = commands.add_parser(
        "checkin", description="Write a script with which a host that cannot be dialled posts its own inspection, once."
    )
    parser.add_argument("host")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a stick; script and signature go there")
    parser.add_argument("--hours", type=int, default=HOURS, help=f"how long it is good for (1 to {HOURS_MAX})")
    parser.add_argument("--key", required=True, type=Path, help=KEY_HELP)
    parser.add_argument("--person", required=True, help="your id in the roster")
    parser.set_defaults(call=_checkin)


def _checkin(options: argparse.Namespace) -> int:
    made: CheckIn = Client(state_of(options)).post("checkins", host=options.host, hours=options.hours)
    text = made["script"].encode()
    words = f"You sign the check-in script of {made['host']}, SHA-256 {made['sha256']}."
    signature = signed_text(options.key, NAMESPACE, text, words)
    script = options.out / made["name"]
    _write(script, text)
    _write(options.out / f"{made['name']}.sig", signature.encode())
    told = {name: value for name, value in made.items() if name != "script"} | {"file": str(script)}
    run = "powershell.exe -NoProfile -ExecutionPolicy Bypass -File" if script.suffix == ".ps1" else "sh"
    who = "an administrator" if script.suffix == ".ps1" else "root"
    lines = (
        f"Written: {script} (SHA-256 {made['sha256']}), good once, until {clock(made['until_us'])}.",
        f"Who carries it checks it: ssh-keygen -Y verify -f ALLOWED_SIGNERS -I {options.person} -n {NAMESPACE} "
        f"-s {script.name}.sig < {script.name}",
        f"On {made['host']}, in quarantine, as {who}: {run} {script.name}",
        "It prints one sentence. Then delete it: it holds a token. Never copy it to another host.",
    )
    show(options, told, "\n".join(lines))
    return 0


def _write(path: Path, content: bytes) -> None:
    try:
        path.unlink(missing_ok=True)
        fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.", rule="usage.file") from error
