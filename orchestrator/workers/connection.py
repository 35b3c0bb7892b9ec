"""One SSH connection to a peer whose key is pinned, one command on it, bounded in time and in bytes.

Never learns a key, never offers another key than the one named, never asks an agent, never hangs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import paramiko
from paramiko.hostkeys import HostKeyEntry

from orchestrator.clock import SystemClock
from orchestrator.errors import RelanceError

_CLOCK = SystemClock()
Key = paramiko.PKey
_CHUNK = 1 << 16
_STDERR_MAX = 4096


class Unreached(RelanceError):
    """The peer did not answer, or not in time; nothing was begun unless the command had been sent."""

    code = "unreached"


class Mistrusted(Unreached):
    """The peer answers but is not who it should be, or refuses our key."""

    code = "mistrusted"


class Overran(Unreached):
    """The peer took the command and did not end it in time."""

    code = "overran"


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is dialled and the only host key (`ssh-ed25519 AAAA...`) it may show."""

    address: str
    port: int
    user: str
    host_key: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds for each part of one question, and the bytes of output that are kept."""

    connect_s: float = 10.0
    banner_s: float = 10.0
    auth_s: float = 10.0
    command_s: float = 60.0
    output_max: int = 8 << 20


@dataclass(frozen=True, slots=True)
class Reply:
    """What the command wrote and how it ended; `cut` if it wrote more than was kept."""

    status: int
    output: bytes
    errors: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Question:
    """What a command asks in its middle: once its output ends with `ending` it waits for `answer(output)`."""

    ending: bytes
    answer: Callable[[bytes], bytes]


def load_key(path: Path) -> Key:
    """The private key to dial with. Raises Unreached if there is none to use."""
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException) as error:
        raise Unreached(f"The SSH key {path.name} cannot be used: {error}.") from error


def ask(peer: Peer, key: Key, command: str, limits: Limits = Limits(), question: Question | None = None) -> Reply:
    """Run one command there, and answer its `question`. Raises Unreached or Mistrusted, the address in the sentence."""
    client = _client(peer)
    try:
        client.connect(
            peer.address,
            port=peer.port,
            username=peer.user,
            pkey=key,
            timeout=limits.connect_s,
            banner_timeout=limits.banner_s,
            auth_timeout=limits.auth_s,
            channel_timeout=limits.connect_s,
            look_for_keys=False,
            allow_agent=False,
        )
        return _run(client, command, limits, question)
    except paramiko.BadHostKeyException as error:
        sentence = f"{peer.address} shows another host key than the pinned one; it was not spoken to."
        raise Mistrusted(sentence, host_key="mismatch") from error
    except paramiko.AuthenticationException as error:
        raise Mistrusted(f"{peer.address} refuses our key.", auth="refused") from error
    except _CommandLate as error:
        raise Overran(f"{peer.address} did not end its command within {limits.command_s:g} s.") from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        raise Unreached(f"{peer.address} cannot be reached: {_words(error)}.") from error
    finally:
        client.close()


class _CommandLate(Exception):
    """Carries a late command out of the reading loop."""


def _client(peer: Peer) -> paramiko.SSHClient:
    key = _pinned(peer.host_key)
    if key is None:
        raise Mistrusted(f"No host key is pinned for {peer.address}; it is not dialled.", host_key="missing")
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    name = peer.address if peer.port == paramiko.config.SSH_PORT else f"[{peer.address}]:{peer.port}"
    client.get_host_keys().add(name, key.get_name(), key)
    return client


def _pinned(host_key: str) -> Key | None:
    try:
        entry = HostKeyEntry.from_line(f"pinned {host_key}")
    except (paramiko.SSHException, ValueError):
        return None
    return entry.key if entry else None


def _run(client: paramiko.SSHClient, command: str, limits: Limits, question: Question | None) -> Reply:
    transport = client.get_transport()
    if transport is None:
        raise EOFError("the connection closed at once")
    deadline_us = _CLOCK.elapsed_us() + limits.command_s * 1e6
    channel = transport.open_session(timeout=limits.connect_s)
    channel.exec_command(command)
    if question is None:
        channel.shutdown_write()
    try:
        output, errors = _read(channel, deadline_us, limits.output_max, question)
        if len(output) > limits.output_max:
            return Reply(-1, output[: limits.output_max], errors, cut=True)
        if not channel.status_event.wait(_left_s(deadline_us)):
            raise _CommandLate
    except TimeoutError as error:
        raise _CommandLate from error
    if channel.exit_status == -1:
        raise EOFError("the connection broke in the middle of the command")
    return Reply(channel.exit_status, output, errors, cut=False)


def _read(channel: paramiko.Channel, deadline_us: float, size_max: int, question: Question | None) -> tuple[bytes, str]:
    """What it writes until it closes, or one byte more than `size_max`; a little of its complaints."""
    output, errors = bytearray(), bytearray()
    chunk = b"-"
    while chunk and len(output) <= size_max:
        channel.settimeout(_left_s(deadline_us))
        chunk = channel.recv(min(_CHUNK, size_max + 1 - len(output)))
        output += chunk
        if question is not None and output.endswith(question.ending):
            channel.sendall(question.answer(bytes(output)))
            channel.shutdown_write()
            question = None
        while channel.recv_stderr_ready():  # drained, so that the peer is never blocked by it
            errors += channel.recv_stderr(_CHUNK)
    return bytes(output), errors[:_STDERR_MAX].decode("utf-8", "replace")


def _left_s(deadline_us: float) -> float:
    left_s = (deadline_us - _CLOCK.elapsed_us()) / 1e6
    if left_s <= 0:
        raise _CommandLate
    return left_s


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return str(error) or "no answer in time"
    return str(error) or "the connection closed"
