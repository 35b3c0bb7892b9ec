"""Asks whether an SSH server answers with the host key we pinned for it.

Never logs in, so it needs no credential and leaves no session behind.
"""

from __future__ import annotations

import socket

import paramiko

from orchestrator.probes.base import Answer, Deadline, Question, connect, unanswered

# By the kind of the pinned key; RSA keys sign with SHA-2 only.
_ALGORITHMS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
}


class SshProbe:
    """Parameters: `host_key` (`ssh-ed25519 AAAA...`), required."""

    def ask(self, question: Question) -> Answer:
        """PASS when the server proves that it holds the pinned key."""
        where = f"ssh at {question.address}:{question.port}"
        kind, _, wanted = str(question.params.get("host_key", "")).partition(" ")
        if not wanted or kind not in _ALGORITHMS:
            return Answer("UNKNOWN", f"No host key is pinned for {where}; it was not asked.", heard=False)
        deadline = Deadline(question.timeout_s)
        try:
            with connect(question, deadline) as peer:
                shown = _shown(peer, kind, deadline)
        except paramiko.SSHException as error:
            return Answer("FAIL", f"{where} does not speak SSH with us: {error}.", {"error": str(error)})
        except EOFError:
            return Answer("FAIL", f"{where} closed the connection.", {"error": "closed"})
        except OSError as error:
            return unanswered(question, error)
        if shown != wanted:
            return Answer("FAIL", f"{where} shows another host key than the pinned one.", {"host_key": "mismatch"})
        return Answer("PASS", f"{where} answers with its pinned key.")


def _shown(peer: socket.socket, kind: str, deadline: Deadline) -> str:
    """The key the server proves, in base64. The thread paramiko starts ends with the transport."""
    transport = paramiko.Transport(peer)
    try:
        transport.banner_timeout = deadline.left_s()
        transport.get_security_options().key_types = _ALGORITHMS[kind]
        transport.start_client(timeout=deadline.left_s())
        return transport.get_remote_server_key().get_base64()
    finally:
        transport.close()
