"""What is asked of a worker and what it answers survive the way through a file, and carry no shell with them."""

from __future__ import annotations

import pytest

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.errors import Refused
from orchestrator.workers.base import Invocation, Outcome, Request

ASKED = Request(
    action="lab-1/restore/2",
    host="lab-1",
    site="clinic",
    step="restore",
    strategy="reimage",
    address="10.0.0.1",
    management="10.0.1.1",
    gate="10.0.2.1:2222",
    host_key="ssh-ed25519 AAAAC3Nza",
    supersedes="lab-1/restore/1",
    klass="server-linux",
)


def test_a_request_reads_back_as_it_was_written() -> None:
    asked = Invocation("7", "restore.yml", "/estate/plans/playbooks", 60, "/s/key", "/s/known_hosts", (ASKED,))
    text = canonical.decode(canonical.encode(asked.as_json()))
    assert isinstance(text, dict)
    assert Invocation.from_json(text) == asked
    assert "class" in ASKED.as_json()


def test_an_outcome_reads_back_as_it_was_written() -> None:
    outcome = Outcome("lab-1/restore/2", "ok", "", {"host_key": "ssh-ed25519 AAAA", "restore_point_us": 7})
    assert Outcome.from_json(outcome.as_json()) == outcome


def test_a_restore_dials_the_management_path_and_a_reconnect_the_gate() -> None:
    assert (ASKED.lane, ASKED.endpoint) == ("host", ("10.0.1.1", 22))
    moved = Request.from_json(ASKED.as_json() | {"step": "reconnect"})
    assert (moved.lane, moved.endpoint) == ("network", ("10.0.2.1", 2222))


def test_a_gate_without_a_port_is_dialled_on_the_management_port() -> None:
    moved = Request.from_json(ASKED.as_json() | {"step": "isolate", "gate": "10.0.2.1", "management_port": 2022})
    assert moved.endpoint == ("10.0.2.1", 2022)


def test_isolating_a_whole_site_has_the_site_as_its_target() -> None:
    assert Request.from_json(ASKED.as_json() | {"host": "", "step": "isolate"}).target == "clinic"


@pytest.mark.parametrize("name", ["action", "host", "site", "strategy", "management", "gate", "supersedes"])
@pytest.mark.parametrize("value", ["a;reboot", "$(reboot)", "{{ lookup('pipe', 'id') }}", "a b", "-oProxyCommand=x"])
def test_no_field_of_a_request_smuggles_a_command(name: str, value: str) -> None:
    fields: dict[str, Json] = ASKED.as_json() | {name: value}
    with pytest.raises(Refused) as refusal:
        Request.from_json(fields)
    assert refusal.value.facts == {"name": name}


def test_a_host_key_is_a_type_and_base64_and_nothing_more() -> None:
    with pytest.raises(Refused):
        Request.from_json(ASKED.as_json() | {"host_key": "ssh-ed25519 AAAA\n* ssh-ed25519 BBBB"})
