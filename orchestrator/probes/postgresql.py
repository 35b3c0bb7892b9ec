"""Logs in to a PostgreSQL database, reads, and looks how old the newest row is.

Never writes: the session itself is told to be read-only before the first statement.
"""

from __future__ import annotations

import struct

from pg8000.core import CoreConnection
from pg8000.exceptions import DatabaseError, Error

from orchestrator.probes.base import Answer, Question, Seen, failed
from orchestrator.probes.line import Ended, Line, TlsLine, conversed, exactly, gibberish
from orchestrator.probes.sql import BYTES_MAX, judge, query_of, told, unsafe
from orchestrator.probes.tls import secured

__all__ = ["PostgresqlProbe", "judge"]
_TLS_REQUEST = struct.pack("!II", 8, 80877103)
# A library that trusts lengths and numbers raises these when a peer lies about them.
_CONFUSED = (Error, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError, struct.error)


class PostgresqlProbe:
    """Parameters: `database`, `user`, `password`, `query` (one SELECT), `rows_min` (1), `otherwise` (what fewer mean),
    `age_max_s` (of the time that is the first value of the first row), `tls`, and with it `ca`, `name`,
    `certificate`, `unverified`, `days_min`.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when we may log in and what we read is new enough. A password needs `tls`."""
        return unsafe(question) or conversed(
            question,
            "The PostgreSQL server",
            lambda line: _told(question, line),
            judge,
            errors=_CONFUSED,
            bytes_max=BYTES_MAX,
        )


def _told(question: Question, line: Line) -> Seen:
    peer: Line | TlsLine = line
    if question.params.get("tls"):
        line.talk.enter("agree on TLS")
        line.sendall(_TLS_REQUEST)
        offered = exactly(line, 1)
        if offered != b"S":
            raise (
                Ended(failed(f"{question.where} offers no TLS.", {"error": "tls"}))
                if offered == b"N"
                else gibberish(question, "PostgreSQL")
            )
        peer, _ = secured(line, question)
    with peer:
        peer.talk.enter("let us log in")
        wait_ms = int(question.timeout_s * 1000)
        options = f"-c default_transaction_read_only=on -c statement_timeout={wait_ms}"
        try:
            session = CoreConnection(
                user=question.text("user"),
                password=question.text("password") or None,
                database=question.text("database") or None,
                application_name="relance",
                startup_params={"options": options},
                sock=peer,
                ssl_context=False,  # settled above
            )
            peer.talk.enter("answer the query")
            rows = session.execute_simple(query_of(question)).rows or []
        except DatabaseError as error:
            raise _refusal(question, error) from error
        return told(rows)


def _refusal(question: Question, error: DatabaseError) -> Ended:
    """What the server itself said (ErrorResponse: M the message, C the code of SQLSTATE)."""
    found = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words, code = str(found.get("M", error))[:200].rstrip("."), str(found.get("C", ""))
    what = "does not let us log in" if code[:2] in ("28", "3D", "53", "57") else "refuses the query"
    return Ended(failed(f"The PostgreSQL server at {question.where} {what}: {words}.", {"sqlstate": code}))
