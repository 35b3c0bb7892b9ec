"""Asks whether a port takes a connection, and with `speaks` whether the peer then says something.

Never sends a byte.
"""

from __future__ import annotations

from orchestrator.probes.base import Answer, Deadline, Question, connect, unanswered


class TcpProbe:
    """Parameters: `speaks` (bool), for protocols in which the server speaks first."""

    def ask(self, question: Question) -> Answer:
        """PASS once connected, with `speaks` once a first byte came."""
        deadline = Deadline(question.timeout_s)
        try:
            with connect(question, deadline) as peer:
                if question.params.get("speaks"):
                    peer.settimeout(deadline.left_s())
                    if not peer.recv(1):
                        return Answer("FAIL", f"{question.address}:{question.port} takes connections and closes them.")
        except OSError as error:
            return unanswered(question, error)
        return Answer("PASS", f"{question.address}:{question.port} answers.")
