"""Orders as people give them: shown in words, signed with their key, answered by the live process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.interfaces.cli_orders import time_us
from orchestrator.trust import keys
from tests.command_line import Keyboard, Said, Terminal, terminal


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        yield found


def refused(said: Said) -> str:
    """The rule a refusal names."""
    rule: str = said.document["error"]["rule"]
    return rule


def test_a_wave_is_launched_held_and_resumed(here: Terminal) -> None:
    assert here.signs("operator-1", "wave", "launch", "foundations").document["kind"] == "wave.launch"
    assert here.signs("crisis-1", "wave", "hold", "foundations").code == 0
    assert here.types.json("status").document["waves"][0]["state"] == "held"
    assert here.signs("operator-2", "wave", "resume", "foundations").code == 0


def test_what_is_signed_is_said_in_words_first(here: Terminal) -> None:
    said = here.types("freeze", "--site", "north", *here.here.signer("operator-1"))
    assert "You sign an ORDER: freeze, subject site:north." in said.err
    assert "freeze site:north: in effect" in said.out


def test_a_refusal_is_exit_3_with_its_rule(here: Terminal) -> None:
    said = here.signs("operator-1", "wave", "launch", "laboratory/slice")
    assert said.code == 3
    assert refused(said) == "waves.after"
    assert refused(here.signs("technician-1", "wave", "launch", "foundations")) == "orders.role"


def test_an_order_of_two_is_exit_4_until_the_second_signs(here: Terminal) -> None:
    first = here.signs("operator-1", "host", "exclude", "lis-2")
    assert first.code == 4
    facts = first.document["error"]["facts"]
    assert facts["missing_roles"] == [["crisis", "it_director", "operator"]]
    second = here.signs("it-director", "order", "sign", facts["order"])
    assert second.code == 0
    assert "host.exclude" in second.err
    here.here.settle()
    assert here.here.stage("lis-2") == "excluded"
    assert here.signs("crisis-1", "order", "sign", facts["order"]).code == 2


def test_the_last_host_of_a_service_is_excluded_only_by_who_says_so(here: Terminal) -> None:
    assert refused(here.signs("operator-1", "host", "exclude", "pacs-1")) == "hosts.quorum"
    assert here.signs("operator-1", "host", "exclude", "pacs-1", "--even-if-last").code == 4


def test_a_workstation_is_excluded_by_one_and_taken_back_by_two(here: Terminal) -> None:
    assert here.signs("operator-1", "host", "exclude", "lab-ws-3").code == 0
    here.here.settle()
    assert here.signs("operator-1", "host", "take-back", "lab-ws-3").code == 4


def test_hosts_are_retried_recalled_isolated_and_declared_through_orders(here: Terminal) -> None:
    assert refused(here.signs("operator-1", "host", "retry", "lis-1")) == "hosts.retry"
    assert here.signs("operator-1", "host", "retry", "lis-1", "--strategy", "reimage").code == 0
    assert refused(here.signs("operator-1", "host", "recall", "lis-1")) == "hosts.recall"
    assert here.signs("analyst-1", "host", "isolate", "lis-1").code == 0
    here.here.settle()
    declared = ("host", "declare", "pacs-1", "--host-key", "ssh-ed25519 AAAA", "--restore-point")
    assert here.signs("operator-1", *declared, "2026-05-01T04:00:00Z").code in (3, 4)
    assert here.signs("operator-1", *declared, "yesterday").code == 2


def test_a_host_in_service_is_isolated_only_by_who_says_what_it_stops(here: Terminal) -> None:
    here.here.bring_back("foundations")
    said = here.signs("operator-1", "host", "isolate", "backup-1")
    assert said.code == 3
    stops = said.document["error"]["facts"]["stops"]
    assert stops == ["backup"]
    assert here.signs("operator-1", "host", "isolate", "backup-1", "--stops", *stops).code in (0, 4)


def test_the_reach_of_a_recalled_host_stays_frozen_until_two_thaw_it(here: Terminal) -> None:
    here.here.bring_back("foundations")
    said = here.signs("operator-1", "host", "recall", "backup-1", "--stops", "backup")
    assert said.code == 4
    assert here.signs("it-director", "order", "sign", said.document["error"]["facts"]["order"]).code == 0
    here.here.settle()
    assert here.types.json("status").document["frozen"] == {"reach:backup-1": "isolated"}
    first = here.signs("operator-1", "thaw", "--reach", "backup-1")
    assert first.code == 4
    assert here.signs("it-director", "order", "sign", first.document["error"]["facts"]["order"]).code == 0
    assert here.types.json("status").document["frozen"] == {}


def test_a_freeze_of_hosts_is_thawed_by_two(here: Terminal) -> None:
    assert here.signs("operator-1", "freeze", "--all-work", "--hosts", "lis-1", "lis-2").code == 0
    frozen = here.types.json("status").document["frozen"]
    assert frozen == {"host:lis-1": "all-work", "host:lis-2": "all-work"}
    first = here.signs("operator-1", "thaw", "--hosts", "lis-1", "lis-2")
    assert first.code == 4
    assert here.signs("it-director", "order", "sign", first.document["error"]["facts"]["order"]).code == 0
    assert here.types.json("status").document["frozen"] == {}


def test_facts_are_set_and_withdrawn(here: Terminal) -> None:
    assert here.signs("analyst-1", "fact", "set", "t0", "2026-05-01T02:00:00+02:00").code == 4
    assert here.signs("forensic-lead", "fact", "set", "waiver", "class:server").code == 0
    assert (
        here.signs("crisis-1", "fact", "set", "accepted", "laboratory/north", "--owner", "head-of-laboratory").code == 0
    )
    found = {one["id"]: one for one in here.types.json("status").document["functions"]}
    assert found["laboratory"]["accepted"] == {"north": "head-of-laboratory"}
    assert "north:stopped (accepted)" in here.types("status").out
    agreed = ("--owner", "head", "--patient", "TEST-1", "--routes", "none to wards", "--cleanup", "the vendor")
    assert refused(here.signs("crisis-1", "fact", "set", "agreement", "lis", *agreed[:4])) == "orders.words"
    first = here.signs("crisis-1", "fact", "set", "agreement", "lis", *agreed)
    assert first.code == 4
    assert here.signs("operator-1", "order", "sign", first.document["error"]["facts"]["order"]).code == 0
    assert here.signs("it-director", "fact", "withdraw", "breach_closed").code == 0
    assert here.signs("analyst-1", "fact", "set", "breach_closed").code == 4
    said = here.signs("analyst-1", "fact", "set", "breach_closed", "2026-05-01")
    assert (said.code, "takes no value" in said.out) == (2, True)
    assert here.signs("operator-1", "fact", "set", "outside").code == 2
    assert refused(here.signs("operator-1", "fact", "set", "outside", "lis")) == "facts.outside"


def test_seats_are_claimed_and_tasks_reported(here: Terminal) -> None:
    assert refused(here.signs("analyst-1", "claim", "ad-1")) == "seats.full"
    assert refused(here.signs("technician-1", "task", "claim", "ad/krbtgt-1")) == "tasks.open"
    assert refused(here.signs("technician-1", "task", "done", "ad/krbtgt-1")) == "tasks.open"
    assert refused(here.signs("technician-1", "task", "failed", "ad/krbtgt-1")) == "tasks.open"
    here.here.quarantined("foundations")
    assert here.signs("analyst-1", "claim", "ad-1").code == 0


def test_any_order_can_be_made_with_arguments_in_json_or_text(here: Terminal) -> None:
    made = ("order", "make", "service.lower-k", "lis", "--arg", "k=1", "--arg", "reason=two burnt down")
    said = here.signs("operator-1", *made)
    assert said.code == 4
    (waiting,) = here.types.json("orders").document
    assert waiting["args"] == {"k": 1, "reason": "two burnt down"}
    assert here.signs("operator-1", "order", "make", "freeze", "all", "--arg", "nonsense").code == 2
    assert refused(here.signs("operator-1", "order", "make", "fly", "moon")) == "orders.kind"
    for hours in ("-1", "0", "999999999999", "soon"):
        said = here.signs("operator-1", "order", "make", "freeze", "all", f"--expires-h={hours}")
        assert (said.code, "whole hours from 1 to 8760" in said.out) == (2, True)


def test_a_time_no_journal_can_hold_is_a_sentence(here: Terminal) -> None:
    for time in ("9999-01-01T00:00:00Z", "1969-01-01T00:00:00Z", "0001-01-01T00:00:00+02:00"):
        said = here.signs("analyst-1", "fact", "set", "t0", time)
        assert (said.code, "between 1970 and 2255" in said.out) == (2, True)


def test_a_key_that_cannot_be_used_is_a_sentence(here: Terminal, tmp_path: Path) -> None:
    words = ("freeze", "--person", "operator-1", "--key")
    assert refused(here.types.json(*words, str(tmp_path / "nowhere"))) == "key.file"
    here.here.key_file("operator-1").chmod(0o644)
    assert refused(here.types.json(*words, str(here.here.key_file("operator-1")))) == "key.mode"


def test_a_key_with_a_passphrase_asks_nobody_where_nobody_sits(here: Terminal, tmp_path: Path) -> None:
    keys.generate(tmp_path / "locked", passphrase=b"secret")
    said = here.types.json("freeze", "--person", "operator-1", "--key", str(tmp_path / "locked"))
    assert (said.code, refused(said)) == (3, "key.passphrase")


def test_a_key_with_a_passphrase_opens_for_who_knows_it(
    here: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.generate(tmp_path / "locked", passphrase=b"secret")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("getpass.getpass", lambda prompt: "secret")
    said = here.types.json("freeze", "--person", "operator-1", "--key", str(tmp_path / "locked"))
    assert refused(said) == "signature.key", "the key opened, and is not the one of the roster"


def test_without_a_live_process_nothing_is_signed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Keyboard(capsys, "--state", str(tmp_path))("freeze", "--key", "k", "--person", "operator-1")
    assert said.code == 2
    assert "You sign" not in said.err


def test_times_name_their_zone() -> None:
    assert time_us("1970-01-01T02:00:01+02:00") == 1_000_000
    assert time_us("1970-01-01T00:00:01Z") == 1_000_000
    for text in ("1970-01-01T00:00:01", "noon", ""):
        with pytest.raises(UsageError):
            time_us(text)
