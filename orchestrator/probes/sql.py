"""Judges what a database answered: enough rows, and the newest not older than it may be.

Never opens a connection: each kind of database has a file of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, now_us, passed, unasked

BYTES_MAX = 1 << 20
_AHEAD_US = 300 * 1_000_000  # a row dated further ahead than clocks may differ was not written by a clock

# What a database is told besides TLS: `database`, `user`, `password`, `query` (one SELECT; 1 row if nothing is said),
# `rows_min` (1), `otherwise` (what it means when there are fewer), `age_max_s` (the first value of the first row is a
# time, at most so old; without a zone it is UTC).


def unsafe(question: Question) -> Answer | None:
    """UNKNOWN when asking would send a password in the clear, or anything but one reading statement."""
    if question.params.get("password") and not question.params.get("tls"):
        return unasked(f"{question.where} was not asked: without `tls` the password would go in the clear.")
    query = query_of(question)
    if not query.lower().startswith(("select", "with")) or ";" in query:
        return unasked(f"{question.where} was not asked: `query` must be one SELECT.")
    return None


def query_of(question: Question) -> str:
    """The statement to put, without its end."""
    return question.text("query", "SELECT 1").strip().rstrip(";").strip()


def told(rows: Sequence[Sequence[object]]) -> Seen:
    """Rows as a judgement takes them: how many, and the first value of the first if it is a time. No value is kept."""
    first = rows[0][0] if rows and rows[0] else None
    newest_us: Json = None
    if isinstance(first, datetime):
        newest_us = int((first if first.tzinfo else first.replace(tzinfo=UTC)).timestamp() * 1_000_000)
    return {"rows": len(rows), "newest_us": newest_us, "now_us": now_us()}


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `rows`, their number; `newest_us`, the time in the first row or null; `now_us`."""
    where = f"The database {question.text('database')} at {question.where}"
    rows, facts = int(str(seen["rows"])), dict[str, Json]({"rows": seen["rows"]})
    if rows < question.number("rows_min", 1):
        means = f": {question.text('otherwise')}" if question.text("otherwise") else ""
        return failed(f"{where} answers with {rows} rows, fewer than {question.number('rows_min', 1)}{means}.", facts)
    allowed_s = question.number("age_max_s")
    if not allowed_s:
        return passed(f"{where} lets us log in and read.", facts)
    if seen["newest_us"] is None:
        return failed(f"{where} answers without a time in the first row.", facts)
    age_us = int(str(seen["now_us"])) - int(str(seen["newest_us"]))
    facts["age_s"] = age_us // 1_000_000
    if age_us < -_AHEAD_US:
        return failed(
            f"The newest row of {where[:1].lower()}{where[1:]} lies {-age_us // 60_000_000} minutes ahead of now.",
            facts,
        )
    if age_us > allowed_s * 1_000_000:
        words = f"is {age_us // 60_000_000} minutes old; {allowed_s // 60} are allowed"
        return failed(f"The newest row of {where[:1].lower()}{where[1:]} {words}.", facts)
    return passed(f"{where} lets us read, and its newest row is {age_us // 60_000_000} minutes old.", facts)
