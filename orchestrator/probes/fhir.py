"""Asks a FHIR server what it is, what a search finds, or whether a tagged resource can be made and removed.

Never creates without the owner's agreement, never keeps what a search finds, and removes what it made.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from orchestrator.canonical import Json
from orchestrator.probes.base import Answer, Question, Seen, failed, passed, unasked
from orchestrator.probes.http import fetched, opened
from orchestrator.probes.line import Line, conversed

_TAG = "urn:relance:test"
_JSON = "application/fhir+json"

_Fetch = Callable[..., dict[str, Json]]


class FhirProbe:
    """Parameters: `ask` (`capability`, `search`, `create`; the last writes), `path` (the base, `/fhir`), `version`
    (what its FHIR version begins with, `4.0`), `query` (`Patient?_summary=count`), `found_min` (1), `token`, `tls`,
    and with it `ca`, `name`, `certificate`, `unverified`, `days_min`.
    """

    def ask(self, question: Question) -> Answer:
        """PASS when the server does what was asked. A token needs `tls`."""
        if question.text("ask", "capability") == "create" and question.agreement is None:
            return unasked(f"A new resource writes; nobody signed an agreement for {question.where}, so none was made.")
        if question.text("token") and not question.params.get("tls"):
            return unasked(f"{question.where} was not asked: without `tls` the token would go in the clear.")
        return conversed(question, "The FHIR server", lambda line: _told(question, line), judge, errors=(ValueError,))


def _told(question: Question, line: Line) -> Seen:
    peer, _ = opened(line, question)
    base, token = question.text("path", "/fhir").rstrip("/"), question.text("token")
    headers = {"Accept": _JSON, "Content-Type": _JSON} | ({"Authorization": f"Bearer {token}"} if token else {})

    def fetch(path: str, **more: Any) -> dict[str, Json]:
        return fetched(peer, question, path, headers=headers, keep=True, **more)

    with peer:
        asked = question.text("ask", "capability")
        if asked == "create":
            return _created(question, line, base, fetch)
        seen = fetch(
            f"{base}/metadata"
            if asked == "capability"
            else f"{base}/{question.text('query', 'Patient?_summary=count')}"
        )
        told = _document(seen)
        kept = ("resourceType", "type", "total", "status", "kind", "fhirVersion")
        document: dict[str, Json] = {name: told[name] for name in kept if isinstance(told.get(name), str | int)}
        entries = told.get("entry")
        return {"status": seen["status"], "told": document, "entries": len(entries) if isinstance(entries, list) else 0}


def _created(question: Question, line: Line, base: str, fetch: _Fetch) -> Seen:
    """Create, read, delete, read again: the four answers' statuses, and whether what was read carries our mark."""
    mark = os.urandom(8).hex()
    resource = {
        "resourceType": "Basic",
        "meta": {"tag": [{"system": _TAG, "code": mark}]},
        "code": {"text": "RELANCE test"},
        "subject": {"identifier": {"value": question.agreement.patient if question.agreement else ""}},
    }
    made = fetch(f"{base}/Basic", method="POST", body=json.dumps(resource).encode())
    number = (
        _document(made).get("id")
        or urlsplit(str(made["location"] or "")).path.rpartition("/Basic/")[2].partition("/")[0]
    )
    seen: dict[str, Json] = {"created": made["status"]}
    if made["status"] != 201 or not isinstance(number, str) or not number.replace("-", "").replace(".", "").isalnum():
        return seen
    line.talk.enter("give back what was created")
    read = fetch(f"{base}/Basic/{number}")
    seen |= {"read": read["status"], "marked": mark in str(read["body"])}
    line.talk.enter("remove what was created")
    seen["deleted"] = fetch(f"{base}/Basic/{number}", method="DELETE")["status"]
    seen["read_again"] = fetch(f"{base}/Basic/{number}")["status"]
    return seen


def _document(seen: Seen) -> dict[str, Any]:
    try:
        told = json.loads(str(seen["body"]))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def judge(question: Question, seen: Seen) -> Answer:
    """`seen`: `status`, `told` (the document's own words), `entries`; of a creation `created`, `read`, `marked`,
    `deleted`, `read_again`. HL7 FHIR R4, http.html and capabilitystatement.html.
    """
    where, asked = f"The FHIR server at {question.where}", question.text("ask", "capability")
    if asked == "create":
        return _judge_creation(where, seen)
    facts: dict[str, Json] = {"status": seen["status"]}
    told = seen["told"]
    if seen["status"] != 200 or not isinstance(told, dict):
        return failed(f"{where} answers {seen['status']} instead of 200.", facts)
    if asked == "capability":
        version = str(told.get("fhirVersion", ""))
        if told.get("resourceType") != "CapabilityStatement" or not version:
            return failed(f"{where} answers with something that is no CapabilityStatement.", facts)
        if told.get("status") != "active" or told.get("kind") != "instance":
            return failed(
                f"{where} does not describe a server in use ({told.get('status')}, {told.get('kind')}).", facts
            )
        if not version.startswith(question.text("version", "4.0")):
            return failed(f"{where} speaks FHIR {version}, not {question.text('version', '4.0')}.", facts)
        return passed(f"{where} is a FHIR {version} server in use.", facts)
    if told.get("resourceType") != "Bundle" or told.get("type") != "searchset":
        return failed(f"{where} answers the search with something that is no searchset.", facts)
    total = told.get("total", seen["entries"])
    found, wanted = total if isinstance(total, int) else 0, question.number("found_min", 1)
    if found < wanted:
        return failed(f"{where} finds {found}, fewer than {wanted}.", facts | {"found": found})
    return passed(f"{where} answers a search with {found} found.", facts | {"found": found})


def _judge_creation(where: str, seen: Seen) -> Answer:
    facts: dict[str, Json] = dict(seen)
    if seen["created"] != 201 or "read" not in seen:
        return failed(f"{where} does not create a resource that can be named: it answers {seen['created']}.", facts)
    if seen["read"] != 200 or not seen["marked"]:
        return failed(f"{where} created a resource and does not give it back as it was.", facts)
    if seen["deleted"] not in (200, 202, 204) or seen["read_again"] not in (404, 410):
        return failed(f"{where} does not remove a test resource; it must be removed by hand.", facts)
    return passed(f"{where} created a test resource, gave it back and removed it.", facts)
