"""The commands of management endpoints and gates: `relance-manage ...` and `relance-gate ...` on the fleet's side.

Never trusts a caller's word about which host it means: the address that was dialled says so.
A login runs a few lines of Perl (start-up 2 ms, where Python takes 15) that pass the command here over a Unix socket
and print the answer; the protocol is one line `TOOL CLIENT PORT ADDRESS WORDS...`, answered by a line with the exit
status and the output, which goes to stdout if the status is 0, else to stderr.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress

from orchestrator.practice.fleet_file import Folders, write_whole
from orchestrator.practice.fleet_gate import Gate
from orchestrator.practice.fleet_host import STRATEGIES, PracticeHost, ToolError

LINE_BYTES_MAX = 4096
TOOLS = ("relance-manage", "relance-gate")
_WORD = re.compile(r"[A-Za-z0-9._/:-]{1,200}")
_MANAGE_USAGE = (
    "relance-manage mark read | mark begin ACTION [SUPERSEDES] | mark end ACTION OUTCOME | preserve ACTION"
    " | restore ACTION restore|reimage|replace [BEFORE_US] | rotate ACTION"
)
_GATE_USAGE = "relance-gate isolate ACTION HOST | isolate-site ACTION SITE | reconnect ACTION HOST | show HOST"

_CLIENT = r"""#!/usr/bin/perl
# Passes one command to the practice fleet and prints its answer.
$SIG{PIPE} = "IGNORE";  # a fleet that hangs up is told in words, not by a signal
my ($tool) = $0 =~ m{([^/]+)\z};
my $fleet;
socket($fleet, 1, 1, 0) && connect($fleet, pack("S a108", 1, "$ENV{RELANCE_DOOR}/socket"))
    or print(STDERR "The practice fleet does not answer.\n"), exit 75;
syswrite $fleet, join(" ", $tool, (split / /, $ENV{SSH_CONNECTION})[0 .. 2], @ARGV) . "\n";
my $answer = "";
1 while sysread $fleet, $answer, 65536, length $answer;
my ($status, $text) = $answer =~ /\A(\d+)\n(.*)\z/s
    or print(STDERR "The practice fleet broke off.\n"), exit 70;
syswrite $status ? STDERR : STDOUT, $text;
exit $status;
"""

# Client, its port, and the address it dialled: the kernel gives one port to dials to several addresses.
Peer = tuple[str, int, str]
Reply = dict[str, object]


def lay_tools(folders: Folders) -> None:
    """Puts the two commands where logins find them."""
    for tool in TOOLS:
        write_whole(folders.reach / "bin" / tool, _CLIENT.encode(), 0o755)


async def manage(host: PracticeHost, words: list[str], cut_connection: Callable[[], None]) -> Reply:
    """Runs one `relance-manage` command for the host."""
    match words:
        case ["mark", "read"]:
            return host.mark_read()
        case ["mark", "begin", action]:
            host.mark_begin(action, "")
        case ["mark", "begin", action, supersedes]:
            host.mark_begin(action, supersedes)
        case ["mark", "end", action, outcome]:
            host.mark_end(action, outcome)
        case ["preserve", action]:
            return await host.at_work(lambda: host.preserve(action))
        case ["restore", action, strategy] if strategy in STRATEGIES:
            return await restore(host, action, strategy, cut_connection)
        case ["restore", action, strategy, before] if strategy in STRATEGIES and before.isdecimal():
            return await restore(host, action, strategy, cut_connection, int(before))
        case ["rotate", action]:
            return host.rotate(action)
        case _:
            raise ToolError(f"Use {_MANAGE_USAGE}.", 2)
    return host.mark_read()


async def restore(
    host: PracticeHost, action: str, strategy: str, cut_connection: Callable[[], None], before_us: int = 0
) -> Reply:
    """Restores the host for as long as that takes; cut off in the middle, the disk stays half-made."""
    plan = host.restore_begin(action, strategy)
    finished = False
    try:
        if "hang" in plan.faults:
            await asyncio.Event().wait()
        await asyncio.sleep(plan.duration_s / 2)
        if "drop" in plan.faults:
            cut_connection()
            await asyncio.Event().wait()
        await asyncio.sleep(plan.duration_s / 2)
        finished = True
    finally:
        if not finished:
            host.cut(action, f"restore:{strategy}")
    if plan.faults & {"refuse", "restore-fails"}:
        host.restore_fail(action, strategy)
    return await host.at_work(lambda: host.restore_finish(action, strategy, plan.faults, before_us))


def gate_command(gate: Gate, words: list[str]) -> Reply:
    """Runs one `relance-gate` command at the gate."""
    match words:
        case ["isolate", action, host]:
            return gate.isolate(action, host)
        case ["isolate-site", action, site]:
            return gate.isolate_site(action, site)
        case ["reconnect", action, host]:
            return gate.reconnect(action, host)
        case ["show", host]:
            return gate.show(host)
    raise ToolError(f"Use {_GATE_USAGE}.", 2)


class ToolDesk:
    """Answers the commands of logins on the fleet's Unix socket."""

    def __init__(self, hosts: Mapping[str, PracticeHost], gates: Mapping[str, Gate], uids: frozenset[int]) -> None:
        self._hosts = hosts
        self._gates = gates
        self._uids = uids
        self._calls: dict[Peer, dict[asyncio.Task[None], int]] = {}
        self._server: asyncio.Server | None = None
        self.cut_connection: Callable[[Peer], None] = lambda peer: None

    async def open(self, path: os.PathLike[str]) -> None:
        """Listens at `path`, replacing what a killed fleet left there; anyone may dial, only `uids` are served."""
        with suppress(FileNotFoundError):
            os.unlink(path)
        listener = socket.socket(socket.AF_UNIX)
        # A socket's path is limited to 107 bytes; through /proc it is short wherever the fleet's folder stands.
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_CLOEXEC)
        listener.bind(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        os.close(folder)
        os.chmod(path, 0o666)  # noqa: S103 - the caller's user is asked for at each call
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LINE_BYTES_MAX, backlog=1024)

    async def close(self) -> None:
        """Stops listening and cuts what runs."""
        if self._server:
            self._server.close()
        tasks = [task for calls in self._calls.values() for task in calls]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def connection_ended(self, peer: Peer) -> None:
        """Ends what a client that has gone away left running: the call, and the login's shell that made it.

        sshd leaves the shell running, and its next command would end the mark of work that was cut off.
        """
        for task, pid in self._calls.get(peer, {}).items():
            with suppress(ProcessLookupError):
                os.killpg(os.getsid(pid), signal.SIGKILL)
            task.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            pid, uid = _caller(writer)
            if uid in self._uids:
                line = (await asyncio.wait_for(reader.readline(), 10)).decode("ascii", "replace")
                tool, client, port, address, *words = line.split()
                call = asyncio.ensure_future(self._answer(writer, tool, address, words))
                self._calls.setdefault((client, int(port), address), {})[call] = pid
                try:
                    await _watched(reader, call)
                finally:
                    self._forget((client, int(port), address), call)
        except (ValueError, TimeoutError, ConnectionError):
            pass  # not one of our clients, or gone: nobody is there to be told
        finally:
            writer.close()

    def _forget(self, peer: Peer, call: asyncio.Task[None]) -> None:
        calls = self._calls[peer]
        del calls[call]
        if not calls:
            del self._calls[peer]

    async def _answer(self, writer: asyncio.StreamWriter, tool: str, address: str, words: list[str]) -> None:
        try:
            reply = await self._command(tool, address, words)
            status, text = 0, json.dumps(reply, separators=(",", ":"))
        except ToolError as error:
            status, text = error.status, error.sentence
        except OSError as error:
            status, text = 74, f"The practice fleet cannot write: {error}."
        writer.write(f"{status}\n{text}\n".encode())
        await writer.drain()

    async def _command(self, tool: str, address: str, words: list[str]) -> Reply:
        if not all(_WORD.fullmatch(word) for word in words):
            raise ToolError("Words of a command are letters, digits and . _ / : -.", 2)
        if tool == TOOLS[0] and address in self._hosts:
            return await manage(self._hosts[address], words, self._cut_own_connection)
        if tool == TOOLS[1] and address in self._gates:
            return gate_command(self._gates[address], words)
        raise ToolError(f"{tool} is not known at {address}.", 127)

    def _cut_own_connection(self) -> None:
        for peer, calls in self._calls.items():
            if asyncio.current_task() in calls:
                self.cut_connection(peer)
                return


async def _watched(reader: asyncio.StreamReader, call: asyncio.Task[None]) -> None:
    """Runs the call until it is done, or its caller has gone."""
    gone = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait((call, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        call.cancel()
        gone.cancel()
        await asyncio.gather(call, gone, return_exceptions=True)
    if not call.cancelled():
        call.result()


def _caller(writer: asyncio.StreamWriter) -> tuple[int, int]:
    """Process and user id of the caller, as the kernel tells them."""
    connection = writer.get_extra_info("socket")
    pid, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return pid, uid
