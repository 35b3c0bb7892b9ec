"""The plan is changed in mid-incident: edited, looked at by the live process, signed by two, and in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.clock import SystemClock
from orchestrator.engine.contents import keep
from orchestrator.interfaces.auditing import audit
from orchestrator.interfaces.serving import serve
from orchestrator.plans.files import usable
from tests.command_line import Keyboard, Said
from tests.live_hospital import HOUR_US, Hospital, hospital, roster
from tests.small_estate import SmallEstate

NEW_ROW = "lab-n-9,north,N1.15,laboratory,workstation,10.10.20.9,10.10.220.9,north,02:00:00:00:11:09,NW0009\n"


class Desk:
    """A live hospital on an estate that people edit."""

    def __init__(self, estate: SmallEstate, here: Hospital, types: Keyboard) -> None:
        self.estate = estate
        self.here = here
        self.types = types

    def signs(self, who: str, *words: str) -> Said:
        """A command that signs, in JSON."""
        return self.types.json(*words, *self.here.signer(who))

    def in_force(self) -> str:
        """The digest of the content in force."""
        digest: str = self.here.engine.read(lambda state, now_us: state.estate.content.digest)
        return digest

    def second(self, who: str, first: Said) -> Said:
        """The other person's signature under what waits."""
        assert first.code == 4, first.err
        return self.signs(who, "order", "sign", first.document["error"]["facts"]["order"])


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    estate, state_dir = SmallEstate(tmp_path), tmp_path / "state"
    content = usable(estate.path)
    with hospital(state_dir, content) as here, serve(here.engine, state_dir, 0):
        keep(estate.path, state_dir, content.digest)
        here.order("genesis", "roster", "operator-1", "it-director", **roster())
        here.order("fact.t0", "t0", "analyst-1", "it-director", at_us=SystemClock().now_us() - HOUR_US)
        yield Desk(estate, here, Keyboard(capsys, "--estate", str(estate.path), "--state", str(state_dir)))


def test_an_edited_estate_comes_into_force_when_a_second_person_has_read_what_it_changes(desk: Desk) -> None:
    desk.estate.append("inventory/workstations.csv", NEW_ROW)
    first = desk.signs("operator-1", "content", "propose")
    assert "host, 1 new: lab-n-9" in first.err
    assert "lab-n-9" not in desk.here.engine.read(lambda state, now_us: state.estate.hosts)
    second = desk.second("crisis-1", first)
    assert second.code == 0, second.err
    assert "host, 1 new: lab-n-9" in second.err, "whoever signs reads it"
    assert desk.in_force() == usable(desk.estate.path).digest
    assert desk.types.json("why", "lab-n-9").document["wave"] == "laboratory/rest-1"
    assert audit(desk.here.engine.state_dir)["violations"] == []


def test_content_in_force_already_and_content_with_errors_are_not_proposed(desk: Desk) -> None:
    said = desk.signs("operator-1", "content", "propose")
    assert (said.code, said.document["error"]["rule"]) == (2, "usage.content")
    desk.estate.edit("inventory/services.yaml", "function: laboratory", "function: nowhere")
    said = desk.signs("operator-1", "content", "propose")
    assert (said.code, said.document["error"]["rule"]) == (3, "content.review")
    assert "nowhere" in said.document["error"]["sentence"]


def test_a_host_with_an_error_is_left_out_and_the_signers_read_so(desk: Desk) -> None:
    desk.estate.append("inventory/workstations.csv", NEW_ROW.replace(",workstation,", ",workstatoin,"))
    first = desk.signs("operator-1", "content", "propose")
    assert "workstatoin" in first.err
    assert "lab-n-9" in first.err
    assert desk.second("crisis-1", first).code == 0
    assert "lab-n-9" not in desk.here.engine.read(lambda state, now_us: state.estate.hosts)


def test_what_takes_a_host_away_is_refused_before_anybody_else_need_sign(desk: Desk) -> None:
    desk.estate.edit("inventory/workstations.csv", "lab-n-2,", "lab-n-3,")
    said = desk.signs("operator-1", "content", "propose")
    assert (said.code, said.document["error"]["rule"]) == (3, "content.lost")


def test_a_signature_counts_only_while_what_was_read_is_what_would_change(desk: Desk) -> None:
    desk.estate.append("inventory/workstations.csv", NEW_ROW)
    first = desk.signs("operator-1", "content", "propose")
    order = desk.signs("operator-1", "content", "order", "radiology", "laboratory")
    assert desk.second("crisis-1", order).code == 0
    said = desk.second("it-director", first)
    assert (said.code, said.document["error"]["rule"]) == (3, "content.changes")


def test_content_nobody_keeps_or_that_was_touched_is_not_looked_at(desk: Desk) -> None:
    args = ("--arg", "blocked=[]", "--arg", "changes=[]")
    for digest in ("d" * 64, "../../etc"):
        said = desk.signs(
            "operator-1", "order", "make", "content.change", "content", "--arg", f"digest={digest}", *args
        )
        assert (said.code, said.document["error"]["rule"]) == (3, "content.unknown")
    desk.estate.append("inventory/workstations.csv", NEW_ROW)
    first = desk.signs("operator-1", "content", "propose")
    folder = desk.here.engine.state_dir / "content" / usable(desk.estate.path).digest
    rows = folder / "inventory" / "workstations.csv"
    rows.write_text(rows.read_text().replace("lab-n-9", "lab-n-8"))
    said = desk.second("crisis-1", first)
    assert (said.code, said.document["error"]["rule"]) == (3, "content.unknown")


def test_functions_are_put_into_another_order_by_an_operator_and_the_crisis_cell(desk: Desk) -> None:
    first = desk.signs("operator-1", "content", "order", "medical-records", "laboratory", "radiology")
    assert first.document["error"]["facts"]["missing_roles"] == [["crisis"]]
    assert desk.second("crisis-1", first).code == 0
    names = [wave["name"] for wave in desk.types.json("status").document["waves"]]
    assert names.index("medical-records/slice") < names.index("laboratory/slice")


def test_a_cut_site_is_set_apart_into_a_later_wave(desk: Desk) -> None:
    first = desk.signs("operator-1", "content", "split", "foundations", "south", "--sites", "south")
    assert desk.second("it-director", first).code == 0
    waves = {wave["name"]: wave["hosts"] for wave in desk.types.json("status").document["waves"]}
    assert waves["foundations/south"] == 1
    said = desk.signs("operator-1", "content", "split", "foundations", "again", "--services", "nothing")
    assert (said.code, said.document["error"]["rule"]) == (3, "waves.split")


def test_an_estate_without_content_is_not_proposed(
    desk: Desk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    types = Keyboard(capsys, "--estate", str(tmp_path / "empty"), "--state", str(desk.here.engine.state_dir))
    assert types.json("content", "propose", *desk.here.signer("operator-1")).code == 1
