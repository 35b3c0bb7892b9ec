"""Whom an infected host may have infected: by needs, interfaces and origin, each with its reason."""

from __future__ import annotations

import pytest

from orchestrator.decision.estate import Estate
from orchestrator.decision.exposure import exposure
from orchestrator.decision.parts import Lot
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.inventory.model import Interface, Needs
from orchestrator.plans.waves import derive
from tests.estates import names, server, service, with_interfaces, workstation
from tests.storyline import hospital, plain_class


@pytest.fixture
def state() -> State:
    """A backup server, a laboratory server restored from it, its middleware, and three posts of one image."""
    lis = service("lis", "laboratory", needs=Needs(restore=("backup",), reconnect=("backup",)))
    posts = [workstation(f"pc-{number}", "north", "laboratory", klass="pc") for number in (1, 2, 3)]
    content = hospital(
        *(server("backup-1", "north", "backup"), server("lis-1", "north", "lis"), server("link-1", "north", "link")),
        *posts,
        services=(service("backup"), lis, service("link", "laboratory")),
        classes=(
            plain_class("server"),
            plain_class("pc", kind="workstation", strategies=("reimage",), needs=Needs(reconnect=("lis",))),
        ),
    )
    link = Interface(id="orders", name=names("Orders"), source="link", target="lis", protocol="hl7")
    content = with_interfaces(content, link)
    return State(Estate(content, derive(content)))


def stand(state: State, stage: Stage, *hosts: str) -> None:
    for host in hosts:
        state.stage[state.estate.host_number[host]] = stage


def reached(state: State, host: str, distance: int = 1) -> dict[str, tuple[str, ...]]:
    """The hosts an infection may have reached, with the reasons."""
    found = exposure(state, state.estate.host_number[host], distance)
    return {state.estate.hosts[one.host]: one.reasons for one in found}


def test_who_uses_what_an_infected_server_plays_is_exposed_once_it_is_out(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "lis-1")
    assert reached(state, "lis-1") == {}
    stand(state, Stage.RELEASED, "pc-1")
    assert reached(state, "lis-1") == {"pc-1": ("uses lis",)}


def test_what_an_infected_post_uses_is_exposed(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "lis-1", "pc-1")
    assert reached(state, "pc-1") == {"lis-1": ("plays lis, which it uses",)}


def test_what_was_restored_from_an_infected_backup_server_is_exposed_in_quarantine_too(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "backup-1")
    stand(state, Stage.INSPECTED, "lis-1")
    assert reached(state, "backup-1") == {"lis-1": ("uses backup",)}
    stand(state, Stage.RESTORING, "lis-1")
    assert reached(state, "backup-1") == {"lis-1": ("uses backup",)}, "it is spoken to right now"
    stand(state, Stage.BLOCKED, "lis-1")
    assert reached(state, "backup-1") == {}, "nothing of it was restored yet"
    stand(state, Stage.EXCLUDED, "lis-1")
    assert reached(state, "backup-1") == {}


def test_what_an_infected_inspection_tool_looked_at_in_quarantine_is_exposed() -> None:
    content = hospital(
        *(server("edr-1", "north", "edr", klass="first"), server("lis-1", "north", "lis")),
        services=(service("edr"), service("lis", "laboratory")),
        classes=(plain_class("first"), plain_class("server", needs=Needs(inspect=("edr",)))),
    )
    state = State(Estate(content, derive(content)))
    stand(state, Stage.IN_SERVICE, "edr-1")
    stand(state, Stage.INSPECTED, "lis-1")
    assert reached(state, "edr-1") == {"lis-1": ("uses edr",)}


def test_both_ends_of_an_interface_are_exposed_to_each_other(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "lis-1", "link-1")
    assert reached(state, "lis-1") == {"link-1": ("is the other end of orders",)}
    assert reached(state, "link-1") == {"lis-1": ("is the other end of orders",)}


def test_posts_of_one_image_share_what_is_in_it_wherever_they_stand(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "pc-1")
    stand(state, Stage.INSPECTED, "pc-2")
    assert reached(state, "pc-1") == {"pc-2": ("has the same image (pc)",)}
    assert exposure(state, state.estate.host_number["pc-1"])[0].source == state.estate.host_number["pc-1"]


def test_hosts_of_one_restore_point_share_what_was_in_it(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "lis-1")
    stand(state, Stage.INSPECTED, "link-1")
    for host in ("lis-1", "link-1"):
        state.restore_point_us[state.estate.host_number[host]] = 7
    assert reached(state, "lis-1") == {"link-1": ("was restored from the same restore point",)}
    state.restore_point_us[state.estate.host_number["link-1"]] = 8
    assert reached(state, "lis-1") == {}


def test_an_infection_goes_on_only_through_hosts_that_are_out_and_never_back(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "backup-1", "lis-1", "pc-1")
    assert reached(state, "pc-1") == {"lis-1": ("plays lis, which it uses",)}
    far = exposure(state, state.estate.host_number["pc-1"], 3)
    assert [(state.estate.hosts[one.host], one.distance) for one in far] == [("lis-1", 1), ("backup-1", 2)]
    assert state.estate.hosts[far[1].source] == "lis-1"
    stand(state, Stage.INSPECTED, "lis-1")
    assert reached(state, "pc-1", 3) == {}


def test_one_host_with_several_reasons_stands_once_with_all_of_them(state: State) -> None:
    stand(state, Stage.IN_SERVICE, "backup-1", "lis-1")
    assert reached(state, "backup-1") == {"lis-1": ("uses backup",)}
    stand(state, Stage.IN_SERVICE, "link-1")
    for host in ("lis-1", "link-1"):
        state.restore_point_us[state.estate.host_number[host]] = 7
    assert reached(state, "lis-1")["link-1"] == (
        "is the other end of orders",
        "was restored from the same restore point",
    )


def test_posts_of_one_lot_share_the_very_image_they_were_made_from(state: State) -> None:
    stand(state, Stage.INSPECTED, "pc-1", "pc-2", "pc-3")
    hosts = [state.estate.host_number[name] for name in ("pc-1", "pc-2", "pc-3")]
    for host in hosts:
        state.image[host] = "ab" * 32
    state.lots["north/image"] = Lot("5eed", set(hosts[:2]))
    assert reached(state, "pc-1") == {
        "pc-2": ("was made from the same image, in the same lot",),
        "pc-3": ("was made from the same image",),
    }


def test_whoever_holds_credentials_of_an_infected_host_is_exposed_once_it_is_being_restored() -> None:
    services = (
        service("backup", credentials=("backup-admin", "local")),
        service("vault", credentials=("backup-admin",)),
        service("lis", "laboratory", credentials=("lis",)),
    )
    hosts = [server(f"{one}-1", "north", one) for one in ("backup", "vault", "lis")]
    content = hospital(*hosts, services=services, classes=(plain_class("server"),))
    state = State(Estate(content, derive(content)))
    number = state.estate.host_number
    assert exposure(state, number["backup-1"]) == []
    stand(state, Stage.RESTORED, "vault-1", "lis-1")
    (found,) = exposure(state, number["backup-1"])
    assert (found.host, found.reasons) == (number["vault-1"], ("holds the same credentials (backup-admin)",))
