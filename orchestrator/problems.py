"""Errors on the wire: each as application/problem+json (RFC 9457) with the document the command line prints, and back.

Never decides what went wrong; the HTTP status only carries the exit code.
"""

from __future__ import annotations

from typing import Any

from orchestrator.errors import (
    Conflict,
    ContentError,
    InfectedFound,
    NeedsAnother,
    Refused,
    RelanceError,
    Unusable,
    UsageError,
)

MEDIA_TYPE = "application/problem+json"
STATUS = {1: 422, 2: 400, 3: 403, 4: 202, 5: 409, 6: 412, 7: 503}
_TITLES = {
    1: "The content cannot be used",
    2: "The request cannot be understood",
    3: "Refused by a rule",
    4: "Stored; it waits for another person",
    5: "It changed meanwhile",
    6: "Something infected was found",
    7: "The state or the machine cannot be used",
}
_CLASSES: dict[int, type[RelanceError]] = {
    one.exit_code: one for one in (ContentError, UsageError, Refused, NeedsAnother, Conflict, InfectedFound, Unusable)
}


def problem(error: RelanceError) -> dict[str, object]:
    """The body for an error."""
    return {
        "type": "about:blank",
        "title": _TITLES.get(error.exit_code, "Error"),
        "status": STATUS.get(error.exit_code, 500),
        "detail": error.sentence,
        **error.as_json(),
    }


def error_of(status: int, body: object) -> RelanceError:
    """The error a response carries; the exit code follows from the status."""
    other = UsageError.exit_code if 400 <= status < 500 else Unusable.exit_code
    exit_code = next((code for code, known in STATUS.items() if known == status), other)
    told: Any = body.get("error") if isinstance(body, dict) else None
    if not isinstance(told, dict):
        return Unusable(f"The live process answered with status {status} and nothing that can be read.")
    facts = told.get("facts")
    error = _CLASSES[exit_code](str(told.get("sentence", "")), rule=str(told.get("rule", "")))
    error.facts = facts if isinstance(facts, dict) else {}
    return error
