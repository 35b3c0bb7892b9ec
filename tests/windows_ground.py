"""A grammar of PowerShell, an answer written by hand, and a stand-in for powershell.exe that gives it.

Never used by the product. `make test` lays the grammar beside the environment's own packages.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).parent / "recorded" / "windows_server.txt"
BESIDE = str(Path(sys.prefix) / "windows")
# Of Windows PowerShell 5.1; each of them only reads, or makes an object of this process.
READS = {
    *("Set-StrictMode", "New-Object", "Test-Path", "Get-Item", "Get-ChildItem", "Join-Path"),
    *("Get-CimInstance", "ForEach-Object", "Where-Object", "Sort-Object", "ConvertFrom-Json"),
}
# `Write` goes to a stream of this process; no other method changes anything but what holds it.
METHODS = {
    *("GetBytes", "GetString", "FromBase64String", "Write", "WriteLine", "Min", "Flush", "Dispose", "Read", "Push"),
    *("Pop", "GetValue", "GetValueNames", "EnumerateFileSystemInfos", "Substring", "TrimEnd", "TrimStart", "IndexOf"),
    *("ToUniversalTime", "ToString", "Replace", "ToLowerInvariant", "ComputeHash", "GetFileName", "ReadAllLines"),
    *("OpenStandardOutput", "Invoke", "InvokeMember", "GetType", "GetTasks", "GetFolders", "GetFolder", "Connect"),
    *("GetIPGlobalProperties", "GetActiveTcpListeners", "GetActiveUdpListeners", "GetActiveTcpConnections"),
    *("GetAccessRules", "FindAll"),
}

# It reads the script as PowerShell would, and runs nothing of it.
_STAND_IN = """#!{python}
import base64, json, os, sys
start = base64.b64decode(sys.argv[sys.argv.index("-EncodedCommand") + 1]).decode("utf-16-le")
token = start.split("'")[1].split()[0]
print(token, "script", flush=True)
script = sys.stdin.buffer.read()
with open("asked", "ab") as log:
    log.write(script)
asked = json.loads(base64.b64decode(script.split(b"'")[1]))
assert asked["token"] == token
for path in asked["wanted"]:
    print(token, "sample", flush=True)
    os.write(1, open("files/" + path.rpartition("/")[2], "rb").read())
if asked["wanted"]:
    print(token, "end")
else:
    sys.stdout.flush()
    os.write(1, open("{answer}", "rb").read().replace(b"@TOKEN@", token.encode()))
sys.stderr.write(open("errors").read() if os.path.exists("errors") else "")
"""


def tree_of(source: bytes) -> Any:
    """The syntax tree of a PowerShell script."""
    sys.path.append(BESIDE)
    try:
        sitter = importlib.import_module("tree_sitter")
        powershell = importlib.import_module("tree_sitter_powershell")
    except ImportError as error:
        raise AssertionError("The grammar of PowerShell is not here: `make test` installs it.") from error
    finally:
        sys.path.remove(BESIDE)
    return sitter.Parser(sitter.Language(powershell.language())).parse(source).root_node


def nodes(tree: Any, *kinds: str) -> Iterator[Any]:
    """All nodes of these kinds."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        waiting += node.children
        if node.type in kinds:
            yield node


def texts(tree: Any, *kinds: str) -> set[str]:
    """What stands at all nodes of these kinds."""
    return {node.text.decode() for node in nodes(tree, *kinds)}


def called(tree: Any) -> set[str]:
    """The methods that are called."""
    calls = nodes(tree, "invokation_expression")
    return {one.text.decode() for call in calls for one in call.children[1:] if one.type == "member_name"}


def recorded(token: str) -> bytes:
    """The answer written by hand, as the script would print it."""
    lines = [line for line in RECORDED.read_text("utf-8").splitlines() if not line.startswith("#")]
    answer, ending = "", "\n"
    for line in lines:
        if line.startswith("@ "):
            ending = "\0" if line in ("@ files", "@ markers") else "\n"
            answer += f"{token} {line[2:]}\n"
        else:
            answer += line + ending
    return answer.encode()


def lay_stand_in(folder: Path) -> None:
    """Puts `powershell.exe` into a folder of programs."""
    answer = folder / "answer"
    answer.write_bytes(recorded("@TOKEN@"))
    program = folder / "powershell.exe"
    program.write_text(_STAND_IN.format(python=sys.executable, answer=answer))
    program.chmod(0o755)
