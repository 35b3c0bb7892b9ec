"""The lab's interface engine: the MLLP server of the package `hl7`, with a routing of ours behind it.

Never a real engine: orders (ORM) go into the laboratory's database and come back as results (ORU), admissions (ADT)
go to the records, anything else is only acknowledged. What waits in `queue/` at its start is delivered first.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import hl7
import pg8000.native
from hl7.mllp import HL7StreamReader, HL7StreamWriter, start_hl7_server

QUEUE = Path("/srv/queue")
RESULT_S = 5.0
PORT = 2575


class Router:
    """Where messages go; `route` is the file the host was given."""

    def __init__(self, route: dict[str, str]) -> None:
        self._route = route
        self._number = 0

    async def serve(self, reader: HL7StreamReader, writer: HL7StreamWriter) -> None:
        """One connection: every message is answered in turn."""
        try:
            while not writer.is_closing():
                message = await reader.readmessage()
                for answer in await asyncio.to_thread(self.take, message):
                    writer.writemessage(answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def take(self, message: hl7.Message) -> list[hl7.Message]:
        """What to answer: an acknowledgement, and behind an order its result."""
        kind = str(message.segment("MSH")[9])
        if kind.startswith("ACK"):
            return []
        try:
            result = self._deliver(kind, message)
        except (pg8000.exceptions.Error, OSError, KeyError, IndexError) as error:
            print(f"{kind} was not delivered: {error}", flush=True)  # noqa: T201 - the engine's log
            return [message.create_ack("AE")]
        return [message.create_ack("AA"), *result]

    def deliver_queue(self) -> None:
        """Sends what waited when the engine was last stopped."""
        for file in sorted(QUEUE.glob("*.hl7")):
            self.take(hl7.parse(file.read_bytes().decode()))  # its lines end in CR
            file.unlink()

    def _deliver(self, kind: str, message: hl7.Message) -> list[hl7.Message]:
        if kind.startswith("ORM"):
            return self._order(message)
        if kind.startswith("ADT"):
            self._admit(message)
        return []

    def _order(self, message: hl7.Message) -> list[hl7.Message]:
        order, patient = message.segment("OBR"), str(message.segment("PID")[3])
        if self._route.get("stores", "yes") != "yes":
            return []
        with self._database() as database:
            database.run(
                "insert into orders (control_id, placer, patient, code) values (:control, :placer, :patient, :code)",
                control=str(message.segment("MSH")[10]), placer=str(order[2]), patient=patient, code=str(order[4]),
            )  # fmt: skip
            value = self._result(database, str(order[2]))
        return [self._oru(message, value)] if value else []

    def _result(self, database: pg8000.native.Connection, placer: str) -> str:
        until_s = time.monotonic() + RESULT_S
        while time.monotonic() < until_s:
            rows = database.run(
                "select value from results join orders using (number) where placer = :placer", placer=placer
            )
            if rows:
                return str(rows[0][0])
            time.sleep(0.1)
        return ""

    def _oru(self, message: hl7.Message, value: str) -> hl7.Message:
        header, order = message.segment("MSH"), message.segment("OBR")
        stamp, self._number = datetime.now(UTC).strftime("%Y%m%d%H%M%S"), self._number + 1
        lines = (
            f"MSH|^~\\&|LIS|LAB|{header[3]}|{header[4]}|{stamp}||ORU^R01|lab{stamp}{self._number}|T|2.5",
            str(message.segment("PID")),
            f"OBR|1|{order[2]}||{order[4]}|||{stamp}",
            f"OBX|1|NM|{order[4]}||{value}|mmol/L|||||F",
        )
        return hl7.parse("\r".join(lines) + "\r")

    def _admit(self, message: hl7.Message) -> None:
        subject = {"identifier": {"value": str(message.segment("PID")[3])}}
        encounter = {"resourceType": "Encounter", "status": "in-progress", "subject": subject}
        address, _, port = self._route["records"].partition(":")
        records = HTTPConnection(address, int(port), timeout=RESULT_S)
        try:
            records.request("POST", "/fhir/Encounter", json.dumps(encounter))
            if records.getresponse().status != 201:
                raise OSError("the records did not take an admission")
        finally:
            records.close()

    def _database(self) -> Any:
        return _Connected(self._route)


class _Connected:
    """One connection to the laboratory's database."""

    def __init__(self, route: dict[str, str]) -> None:
        self._route = route

    def __enter__(self) -> pg8000.native.Connection:
        route = self._route
        self._connection = pg8000.native.Connection(
            "engine", host=route["lis"], database="lis", password=route["password"], timeout=RESULT_S
        )
        return self._connection

    def __exit__(self, *error: object) -> None:
        self._connection.close()


async def main(address: str) -> None:
    """Serves until killed."""
    router = Router(json.loads(Path("/srv/etc/route.json").read_text()))
    await asyncio.to_thread(router.deliver_queue)
    async with await start_hl7_server(router.serve, address, PORT) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
