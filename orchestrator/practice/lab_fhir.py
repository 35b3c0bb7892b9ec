"""The lab's facade in place of a records system: a little of FHIR R4 over a folder of JSON files.

Never a FHIR server: it keeps resources by id, counts them, and takes admissions; it validates nothing else.
"""

from __future__ import annotations

import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BASE = "/fhir"
TYPES = ("Patient", "Encounter", "Basic")
BODY_MAX = 1 << 16
PORT = 8080
_ME = {
    "resourceType": "CapabilityStatement", "status": "active", "kind": "instance", "fhirVersion": "4.0.1",
    "date": "2026-01-01", "format": ["json"], "software": {"name": "Lab facade, no real records system"},
}  # fmt: skip


class Facade(BaseHTTPRequestHandler):
    """One request."""

    folder = Path("/srv/resources")
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """What this is, how many there are of a type, or one resource."""
        kind, name = self._asked()
        if kind == "metadata":
            self._answer(200, _ME)
        elif kind in TYPES and not name:
            found = sum(1 for _ in (self.folder / kind).glob("*.json"))
            self._answer(200, {"resourceType": "Bundle", "type": "searchset", "total": found})
        elif kind in TYPES and self._file(kind, name).exists():
            self._answer(200, json.loads(self._file(kind, name).read_bytes()))
        else:
            self._answer(404, {"resourceType": "OperationOutcome"})

    def do_POST(self) -> None:
        """Keeps a resource under a new id."""
        kind, name = self._asked()
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), BODY_MAX))
        try:
            resource: dict[str, Any] = json.loads(body)
        except ValueError:
            resource = {}
        if kind not in TYPES or name or resource.get("resourceType") != kind:
            self._answer(400, {"resourceType": "OperationOutcome"})
            return
        resource["id"] = uuid.uuid4().hex
        self._file(kind, resource["id"]).parent.mkdir(parents=True, exist_ok=True)
        self._file(kind, resource["id"]).write_text(json.dumps(resource))
        self._answer(201, resource, f"{BASE}/{kind}/{resource['id']}")

    def do_DELETE(self) -> None:
        """Removes a resource."""
        kind, name = self._asked()
        file = self._file(kind, name)
        if kind not in TYPES or not file.exists():
            self._answer(404, {"resourceType": "OperationOutcome"})
            return
        file.unlink()
        self._answer(200, {"resourceType": "OperationOutcome"})

    def _asked(self) -> tuple[str, str]:
        """Type and id of the request's path."""
        path = urlsplit(self.path).path.removeprefix(BASE).strip("/")
        kind, _, name = path.partition("/")
        return kind, name if name.isalnum() else ""

    def _file(self, kind: str, name: str) -> Path:
        return self.folder / kind / f"{name}.json"

    def _answer(self, status: int, document: dict[str, Any], location: str = "") -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nobody's admissions are written to a log."""


if __name__ == "__main__":
    ThreadingHTTPServer((sys.argv[1], PORT), Facade).serve_forever()
