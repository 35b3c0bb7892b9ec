"""The commands of management endpoints and gates, passed by the real small client to a desk in this process."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from orchestrator.clock import SystemClock
from orchestrator.practice.fleet_file import PRESETS, Fault, Folders
from orchestrator.practice.fleet_gate import Gate
from orchestrator.practice.fleet_host import PracticeHost
from orchestrator.practice.fleet_tool import Peer, ToolDesk, lay_tools
from tests.practice_ground import GATE, small_fleet

H0 = "127.31.0.1"
CLIENT: Peer = ("127.0.0.1", 50000, H0)


class Desk:
    """A desk with one host and one gate; `run` starts the client as a login would."""

    def __init__(self, root: Path, *faults: Fault, uids: frozenset[int] | None = None) -> None:
        fleet = small_fleet({"h0": faults})
        self.folders = Folders(root)
        self.folders.make()
        lay_tools(self.folders)
        self.host = PracticeHost(fleet.hosts[0], fleet, self.folders, SystemClock().now_us)
        self.host.prepare()
        gate = Gate("north", fleet.hosts, self.folders.gate_log("north"), SystemClock().now_us)
        allowed = frozenset({os.geteuid()}) if uids is None else uids
        self.desk = ToolDesk({H0: self.host}, {GATE: gate}, allowed)

    def meet(self, story: Coroutine[Any, Any, None]) -> None:
        """Runs a story while the desk is open."""

        async def whole() -> None:
            await self.desk.open(self.folders.reach / "socket")
            try:
                await story
            finally:
                await self.desk.close()

        asyncio.run(whole())

    async def start(self, address: str, *words: str) -> asyncio.subprocess.Process:
        environment = {
            "RELANCE_DOOR": str(self.folders.reach),
            "SSH_CONNECTION": f"{CLIENT[0]} {CLIENT[1]} {address} 22",
        }
        tool = self.folders.reach / "bin" / words[0]
        pipe = asyncio.subprocess.PIPE
        # A session of its own, as sshd gives to each login's shell.
        return await asyncio.create_subprocess_exec(
            tool, *words[1:], stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )

    async def run(self, address: str, *words: str) -> tuple[int, str, str]:
        client = await self.start(address, *words)
        output, errors = await asyncio.wait_for(client.communicate(), 20)
        return client.returncode or 0, output.decode(), errors.decode()

    async def until(self, line: str) -> None:
        while line not in self.folders.log("h0").read_text():
            await asyncio.sleep(0.01)


def test_the_whole_life_of_a_restore_passes_through_the_desk(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    async def story() -> None:
        for words in (
            "mark begin a",
            "restore a reimage",
            "restore a restore 5",
            "rotate a",
            "preserve a",
            "mark end a ok",
        ):
            status, output, errors = await desk.run(H0, "relance-manage", *words.split(" "))
            assert (status, errors) == (0, "")
            assert isinstance(json.loads(output), dict)
        mark = json.loads((await desk.run(H0, "relance-manage", "mark", "read"))[1])
        assert (mark["state"], mark["outcome"]) == ("ended", "ok")
        assert {"host_key", "digest", "rotated"} <= set(mark["facts"])

    desk.meet(story())


def test_the_gate_answers_at_its_own_address_and_nowhere_else(tmp_path: Path) -> None:
    desk = Desk(tmp_path)

    async def story() -> None:
        status, output, _ = await desk.run(GATE, "relance-gate", "isolate", "h1/isolate/1", "h1")
        assert (status, json.loads(output)) == (0, {"host": "h1", "state": "isolated"})
        for words in ("isolate-site a north", "reconnect a h1", "show h1"):
            assert (await desk.run(GATE, "relance-gate", *words.split(" ")))[0] == 0
        assert (await desk.run(GATE, "relance-gate", "open"))[0] == 2
        assert (await desk.run(H0, "relance-gate", "show", "h1"))[0] == 127
        assert (await desk.run("127.9.9.9", "relance-manage", "mark", "read"))[0] == 127

    desk.meet(story())


@pytest.mark.parametrize(
    "words",
    [
        ("mark",),
        ("restore", "a", "melt"),
        ("restore", "a", "restore", "x"),
        ("preserve", "a b"),
        ("rotate", "$(id)"),
        (),
    ],
)
def test_what_is_no_command_is_answered_with_the_ones_there_are(tmp_path: Path, words: tuple[str, ...]) -> None:
    desk = Desk(tmp_path)

    async def story() -> None:
        status, output, errors = await desk.run(H0, "relance-manage", *words)
        assert (status, output) == (2, "")
        assert errors.strip().endswith(".")

    desk.meet(story())


def test_a_restore_whose_client_is_killed_is_cut(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PRESETS["hang"])

    async def story() -> None:
        client = await desk.start(H0, "relance-manage", "restore", "a", "restore")
        await desk.until("run a")
        client.kill()
        await desk.until("cut a")
        await client.wait()

    desk.meet(story())


def test_a_restore_whose_connection_ends_is_cut_with_the_shell_that_asked(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PRESETS["drop"])
    cut: list[Peer] = []

    def cut_connection(peer: Peer) -> None:
        cut.append(peer)
        desk.desk.connection_ended(peer)

    desk.desk.cut_connection = cut_connection

    async def story() -> None:
        client = await desk.start(H0, "relance-manage", "restore", "a", "restore")
        assert await asyncio.wait_for(client.wait(), 20) == -9
        await desk.until("cut a")
        assert cut == [CLIENT]

    desk.meet(story())


def test_a_connection_to_another_host_from_the_same_port_that_ends_cuts_nothing_here(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PRESETS["hang"])

    async def story() -> None:
        client = await desk.start(H0, "relance-manage", "restore", "a", "restore")
        await desk.until("run a")
        desk.desk.connection_ended((*CLIENT[:2], "127.31.0.2"))
        await asyncio.sleep(0.1)
        assert client.returncode is None
        assert "cut a" not in desk.folders.log("h0").read_text()
        client.kill()
        await client.wait()

    desk.meet(story())


def test_a_desk_that_closes_cuts_what_runs_and_its_client_says_so(tmp_path: Path) -> None:
    desk = Desk(tmp_path, PRESETS["hang"])

    async def story() -> None:
        client = await desk.start(H0, "relance-manage", "restore", "a", "restore")
        await desk.until("run a")
        await desk.desk.close()
        _, errors = await client.communicate()
        assert (client.returncode, errors) == (70, b"The practice fleet broke off.\n")

    desk.meet(story())
    assert "cut a" in desk.folders.log("h0").read_text()


def test_without_a_fleet_the_client_says_that_nobody_answers(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    status, _, errors = asyncio.run(desk.run(H0, "relance-manage", "mark", "read"))
    assert (status, errors) == (75, "The practice fleet does not answer.\n")


def test_a_stranger_on_the_machine_is_not_served(tmp_path: Path) -> None:
    desk = Desk(tmp_path, uids=frozenset({12345}))

    async def story() -> None:
        assert (await desk.run(H0, "relance-manage", "rotate", "a"))[0] == 70
        assert "rotate" not in desk.folders.log("h0").read_text()

    desk.meet(story())
