"""How a Windows host is inspected through OpenSSH: one PowerShell script, its answer in the form Linux hosts give.

Never writes on the host and never depends on its login shell: the command line is short and holds no quote, the
script comes through the input. Never run on Windows by its makers: parsed, and judged on recorded answers.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib.resources import files
from types import MappingProxyType

from orchestrator.workers import script
from orchestrator.workers.connection import Key, Limits, Peer, Question, Reply, ask
from orchestrator.workers.script import Sweep

SCRIPT = "inspection.ps1"
NO_POST: Mapping[str, str] = MappingProxyType({})
# The lists of inspection.ps1, in its order.
LISTS = (
    *("accounts", "groups", "services", "scheduled_tasks", "run_keys", "startup", "logon_scripts"),
    *("wmi_subscriptions", "directory", "defender", "resolver", "patch_level"),
    *("listening", "established", "modules", "kernel", "processes"),
)
# cmd, the usual login shell there, takes 8191 characters. PowerShell hands its input on as $input, to the end.
COMMAND_CHARS_MAX = 8191
_READY = "script"
_START = (
    "[Console]::Out.Write('{token} " + _READY + "' + [char]10); & ([scriptblock]::Create(@($input) -join [char]10))"
)


def on_windows(sweep: Sweep) -> Sweep:
    """The same inspection for a Windows host: its own folders below the system drive, and its own lists."""
    return replace(sweep, root="", paths=sweep.windows_paths, lists=dict.fromkeys(LISTS, ""))


def command(token: str) -> str:
    """The command line that runs the script which comes through its input."""
    encoded = base64.b64encode(_START.format(token=token).encode("utf-16-le")).decode("ascii")
    return f"powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand {encoded}"


def script_of(sweep: Sweep, token: str, wanted: Iterable[str] = (), *, post: Mapping[str, str] = NO_POST) -> bytes:
    """The script with what it is asked, in ASCII; with `wanted` paths it sends these files and looks at nothing else.

    `post` is what a check-in sends what it saw with; without it the standard output gets it.
    """
    asked = {
        "token": token,
        "root": sweep.root,
        "paths": [*sweep.paths],
        "markers": [*sweep.markers],
        "files_max": sweep.files_max,
        "list_bytes_max": script.LIST_BYTES_MAX,
        "sample_bytes_max": script.SAMPLE_BYTES_MAX,
        "samples_bytes_max": script.SAMPLES_BYTES_MAX,
        "wanted": [*wanted],
        **({"post": {**post}} if post else {}),
    }
    # As base64, so that no name in it means anything to PowerShell.
    told = base64.b64encode(json.dumps(asked).encode("ascii")).decode("ascii")
    opening = (
        "$Asked = [System.Text.Encoding]::ASCII.GetString([System.Convert]::FromBase64String("
        f"'{told}')) | ConvertFrom-Json\n"
    )
    return opening.encode("ascii") + files(__package__).joinpath(SCRIPT).read_bytes()


def look(peer: Peer, key: Key, sweep: Sweep, limits: Limits, question: Question) -> Reply:
    """Ask one host twice: what is on it, then the files that `question` names. Raises what `ask` raises."""
    token = question.ending.split()[0].decode("ascii")
    first = _ask(peer, key, script_of(sweep, token), token, limits)
    wanted = (
        [] if first.cut else [path.decode("utf-8", "replace") for path in question.answer(first.output).splitlines()]
    )
    if first.status != 0 or not wanted:
        return first
    left = replace(limits, output_max=limits.output_max - len(first.output))
    second = _ask(peer, key, script_of(sweep, token, wanted), token, left)
    return Reply(second.status, first.output + second.output, first.errors + second.errors, second.cut)


def _ask(peer: Peer, key: Key, text: bytes, token: str, limits: Limits) -> Reply:
    return ask(peer, key, command(token), limits, Question(f"{token} {_READY}\n".encode(), lambda output: text))
