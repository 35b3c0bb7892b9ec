"""Logs in to a Microsoft SQL Server, reads, and looks how old the newest row is.

Unproven: no such server was to be had. Never logs in without TLS. This server knows no session that only reads:
give the reader no right to write.
"""

from __future__ import annotations

import tempfile

import pytds
from OpenSSL.SSL import Error as TlsError

from orchestrator.probes.base import Answer, Question, Seen, failed, unasked
from orchestrator.probes.line import Ended, Line, conversed, said
from orchestrator.probes.sql import BYTES_MAX, judge, query_of, told, unsafe

__all__ = ["MssqlProbe", "judge"]
# A library that trusts lengths and numbers raises these when a peer lies about them.
_CONFUSED = (pytds.Error, TlsError, ValueError, KeyError, IndexError, TypeError, AttributeError, AssertionError)


class MssqlProbe:
    """Parameters: `database`, `user`, `password`, `query` (one SELECT), `rows_min` (1), `otherwise` (what fewer mean),
    `age_max_s` (of the time that is the first value of the first row), `tls` (true, always), `ca`, and `name` (the
    common name of its certificate).
    """

    def ask(self, question: Question) -> Answer:
        """PASS when we may log in and what we read is new enough."""
        if not (question.params.get("tls") and question.text("ca") and question.text("name")):
            return unasked(f"{question.where} was not asked: this probe needs `tls`, `ca` and `name`.")
        return unsafe(question) or conversed(
            question,
            "The SQL Server",
            lambda line: _told(question, line),
            judge,
            errors=_CONFUSED,
            bytes_max=BYTES_MAX,
        )


def _told(question: Question, line: Line) -> Seen:
    line.talk.enter("let us log in")
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as authority:  # the library reads it from a file alone
        authority.write(question.text("ca"))
        authority.flush()
        try:
            session = pytds.connect(
                dsn=question.text("name").replace("{host}", question.host),
                database=question.text("database") or None,
                user=question.text("user"),
                password=question.text("password"),
                cafile=authority.name,
                sock=line,
                appname="relance",
                login_timeout=line.talk.left_s(),
                timeout=line.talk.left_s(),
            )
            line.talk.enter("answer the query")
            with session.cursor() as cursor:
                cursor.execute(query_of(question))
                return told(cursor.fetchall())
        except pytds.LoginError as error:
            sentence = f"The SQL Server at {question.where} does not let us log in: {said(error)}."
            raise Ended(failed(sentence, {"error": "login"})) from error
