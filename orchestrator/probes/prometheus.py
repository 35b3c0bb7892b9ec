"""Asks a Prometheus server one query and compares the value of every series it answers with.

Never takes an old value for a new one: the server is asked for now, and no series is no answer.
"""

from __future__ import annotations

import json
from urllib.parse import urlencode

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, passed, unasked
from orchestrator.probes.http import fetched, opened
from orchestrator.probes.line import Line, conversed


class PrometheusProbe:
    """Parameters: `query`, `min` and `max` (whole numbers, of every series), `series_min` (1), `path` (before `/api`),
    `token`, `tls`, and with it `ca`, `name`, `certificate`, `unverified`, `days_min`.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when there are enough series and the value of each is within the bounds. A token needs `tls`."""
        token = question.text("token")
        if token and not question.params.get("tls"):
            return unasked(f"{question.where} was not asked: without `tls` the token would go in the clear.")

        def told(line: Line) -> Seen:
            peer, _ = opened(line, question)
            with peer:
                path = f"{question.text('path')}/api/v1/query?{urlencode({'query': question.text('query', 'up')})}"
                return fetched(peer, question, path, headers={"Authorization": f"Bearer {token}"} if token else {})

        return conversed(question, "Prometheus", told, judge)


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `status` and `body` of the answer to an instant query (Prometheus HTTP API v1)."""
    where, query = f"Prometheus at {question.where}", question.text("query", "up")
    values = _values(str(seen["body"])) if seen["status"] == 200 else None
    if values is None:
        return failed(
            f"{where} does not answer the query {query}: status {seen['status']}.", {"status": seen["status"]}
        )
    facts: dict[str, Json] = {"series": len(values)}
    if len(values) < question.number("series_min", 1):
        return failed(
            f"{where} has {len(values)} series of {query}, fewer than {question.number('series_min', 1)}.", facts
        )
    for value in values:
        low, high = question.number("min") if "min" in question.params else value, question.params.get("max", value)
        if not low <= value <= float(high):  # nan is within nothing
            return failed(f"{where} says {value:g} for {query}, which is not within its bounds.", facts)
    return passed(f"{where} says for {query} what it should, in {len(values)} series.", facts)


def _values(body: str) -> list[float] | None:
    """The values of a vector or a scalar; nothing if the document is another one."""
    try:
        told = json.loads(body)
        data = told["data"] if told["status"] == "success" else {}
        found = {"vector": lambda: [one["value"] for one in data["result"]], "scalar": lambda: [data["result"]]}
        return [float(value) for _, value in found[data["resultType"]]()]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
