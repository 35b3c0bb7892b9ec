"""Asks whether an SSH server answers with the host key we pinned for it, and what one command says there.

Never logs in unless a command is asked for, and never tells a server that does not hold the pinned key who we are.
"""

from __future__ import annotations

import io
import socket
from contextlib import suppress

import paramiko

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Deadline, Question, Seen, connect, failed, passed, unanswered, unasked
from orchestrator.probes.line import Ended

# By the kind of the pinned key; RSA keys sign with SHA-2 only.
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
}
_SAID_MAX = 1 << 16


class SshProbe:
    """Parameters: `host_key` (`ssh-ed25519 AAAA...`), required; `command`, `user` and `key` (a private key) to run one
    command that only reads, `contains` (what it must say), `status` (0, what it must end with).
    """

    def ask(self, question: Question) -> Answer:
        """PASS when the server proves that it holds the pinned key and the command, if any, says what it should."""
        where = f"ssh at {question.where}"
        kind, _, wanted = question.text("host_key").partition(" ")
        if not wanted or kind not in _ALGORITHMS:
            return unasked(f"No host key is pinned for {where}; it was not asked.")
        deadline = Deadline(question.timeout_s)
        try:
            with connect(question, deadline) as peer:
                seen = _told(question, peer, deadline)
        except Ended as end:
            return end.answer
        except paramiko.AuthenticationException:
            return failed(f"{where} does not let {question.text('user')} log in.", {"error": "login"})
        except paramiko.SSHException as error:
            return failed(f"{where} does not speak SSH with us: {error}.", {"error": str(error)})
        except EOFError:
            return failed(f"{where} closed the connection.", {"error": "closed"})
        except OSError as error:
            return unanswered(question, error)
        return judge(question, seen)


def _told(question: Question, peer: socket.socket, deadline: Deadline) -> Seen:
    """What the server proves and says. The thread paramiko starts ends with the transport."""
    kind, _, wanted = question.text("host_key").partition(" ")
    transport = paramiko.Transport(peer)
    question.stop.then(transport.close)
    try:
        transport.banner_timeout = transport.auth_timeout = deadline.left_s()
        transport.get_security_options().key_types = _ALGORITHMS[kind]
        transport.start_client(timeout=deadline.left_s())
        seen: dict[str, Json] = {"host_key": transport.get_remote_server_key().get_base64()}
        command = question.text("command")
        if not command or seen["host_key"] != wanted:
            return seen
        transport.auth_publickey(question.text("user"), _key(question.text("key")))
        channel = transport.open_session(timeout=deadline.left_s())
        channel.set_combine_stderr(True)
        channel.exec_command(command)
        said = b""
        while len(said) <= _SAID_MAX:
            channel.settimeout(deadline.left_s())
            more = channel.recv(_SAID_MAX)
            if not more:
                break
            said += more
        if not channel.status_event.wait(deadline.left_s() if len(said) <= _SAID_MAX else 0):
            return seen | {"status": None, "said": ""}
        return seen | {"status": channel.recv_exit_status(), "said": said.decode("utf-8", "replace")}
    finally:
        transport.close()


def _key(text: str) -> paramiko.PKey:
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException, ValueError):
            return kind.from_private_key(io.StringIO(f"{text}\n"))
    raise Ended(unasked("The private key (`key`) cannot be read; the command was not put."))


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `host_key` in base64; of a command `status` (null: it did not end, in time or within 64 kB), `said`."""
    where = f"ssh at {question.where}"
    if seen["host_key"] != question.text("host_key").partition(" ")[2]:
        return failed(f"{where} shows another host key than the pinned one.", {"host_key": "mismatch"})
    if "status" not in seen:
        return passed(f"{where} answers with its pinned key.")
    facts: dict[str, Json] = {"status": seen["status"]}
    if seen["status"] is None:
        return failed(f"{where} runs the command and it does not end.", facts)
    wanted, words = question.number("status"), question.text("contains")
    if seen["status"] != wanted:
        return failed(f"{where} ends the command with {seen['status']} instead of {wanted}.", facts)
    if words not in str(seen["said"]):
        return failed(f"{where} does not say {words!r}.", facts)
    return passed(f"{where} says what it should.", facts)
