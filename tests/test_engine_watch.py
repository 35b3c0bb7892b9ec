"""What is asked when, of whom, and what many answers say together. The peers are real sockets on loopback."""

from __future__ import annotations

import errno
import os
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hl7
import pytest

from orchestrator.checks.model import Check
from orchestrator.decision.estate import WITNESSED_S, Estate
from orchestrator.decision.events import Event, Reading, Swept
from orchestrator.decision.parts import OpenAction, TaskState
from orchestrator.decision.stages import Stage
from orchestrator.decision.state import State
from orchestrator.engine.watch import GENTLE, Watch, judge, moment_us, question_of, worst
from orchestrator.inventory.model import Host
from orchestrator.plans.model import Content
from orchestrator.plans.waves import derive
from orchestrator.probes.base import Agreement, Answer
from orchestrator.workers.probing import Prober
from tests.drill_ground import wait_until
from tests.estates import PRACTICE_TIMING, check, small_estate, with_hosts, workstation
from tests.practice_peers import peer, speaks_first, stays_silent
from tests.test_probes_hl7 import acknowledges, interface, laboratory
from tests.test_workers_probing import full_listener

SECOND = 1_000_000
NOW_US = 1_700_000_000 * SECOND
DEAF = 9  # nobody listens on this port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A port that answers on every loopback address."""
    with peer(speaks_first(b"here"), address="0.0.0.0") as port:
        yield port


def placed(content: Content, port: int) -> Content:
    """The estate on loopback: each host at an address of its own, everything reachable."""

    def move(number: int, host: Host) -> Host:
        return host.model_copy(update={"address": f"127.9.0.{number + 1}"})

    inventory = content.inventory
    hosts = tuple(move(number, host) for number, host in enumerate(inventory.hosts))
    sites = tuple(
        site.model_copy(update={"prober": "127.0.0.1", "control": f"127.9.1.1:{port}"}) for site in inventory.sites
    )
    klasses = tuple(
        one.model_copy(update={"login": one.login.model_copy(update={"port": port})}) for one in content.classes
    )
    return content.model_copy(
        update={"inventory": inventory.model_copy(update={"hosts": hosts, "sites": sites}), "classes": klasses}
    )


def answering(*checks: Check, port: int) -> State:
    """A state of the small estate on loopback with these checks only."""
    return cut_off(placed(small_estate(), port).model_copy(update={"checks": checks}))


def cut_off(content: Content) -> State:
    """A state in which every host's isolation has finished, and is there to be disproved."""
    state = State(Estate(content, derive(content)))
    state.isolated_us = [NOW_US - SECOND] * len(state.stage)
    return state


def tcp(check_id: str, port: int, **subject: str) -> Check:
    one = check(check_id, "L3" if "interface" in subject else "L2", **subject)
    return one.model_copy(update={"probe": "tcp", "port": port, "params": {}, "interval_s": 4, "timeout_s": 2})


def players(state: State, service: str) -> Sequence[int]:
    return state.estate.players[state.estate.service_number[service]]


def out(state: State, *hosts: int, stage: Stage = Stage.RELEASED) -> None:
    for host in hosts:
        state.stage[host] = stage


def said(events: Sequence[Event]) -> list[str]:
    """What was read; hosts and sites are asked beside it."""
    return [event.subject for event in events if isinstance(event, Reading)]


class Watching:
    """A watch whose clock a test turns."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.watch = Watch(state, Prober())
        self.now_us = NOW_US

    def poll(self, after_s: float = 0) -> list[Event]:
        self.now_us += round(after_s * SECOND)
        return self.watch.poll(self.state, self.now_us)

    def readings(self, count: int = 1, kind: str = "") -> list[Reading]:
        """The readings of what is asked now, once `count` came in."""
        found: list[Reading] = []

        def enough() -> bool:
            found.extend(
                event for event in self.poll() if isinstance(event, Reading) and event.subject.startswith(kind)
            )
            return len(found) >= count

        wait_until(enough, 20)
        return found

    def sweeps(self, count: int) -> list[Swept]:
        found: list[Swept] = []

        def enough() -> bool:
            found.extend(event for event in self.poll() if isinstance(event, Swept))
            return len(found) >= count

        wait_until(enough, 20)
        return found


@pytest.fixture
def watching() -> Iterator[list[Watching]]:
    opened: list[Watching] = []
    yield opened
    for one in opened:
        one.watch.close()


# checks


def test_a_service_is_asked_once_its_quorum_is_out_and_not_before(port: int, watching: list[Watching]) -> None:
    state = answering(tcp("lis-works", port, service="lis"), port=port)
    watching.append(Watching(state))
    assert not [event for event in watching[0].poll() if isinstance(event, Reading)]
    out(state, *players(state, "lis"))
    watching[0].now_us += SECOND
    (reading,) = watching[0].readings()
    assert (reading.subject, reading.outcome) == ("service:lis", "PASS")


def test_a_service_is_asked_again_after_its_interval_and_not_while_it_is_being_asked(
    watching: list[Watching],
) -> None:
    with peer(stays_silent, address="0.0.0.0") as mute:  # so that no answer can come at once
        spoken = check("lis-works", service="lis").model_copy(
            update={"port": mute, "interval_s": 4, "timeout_s": 1, "params": {"path": "/"}}
        )
        state = answering(spoken, port=mute)
        out(state, *players(state, "lis"))
        watching.append(Watching(state))
        watching[0].readings(kind="service")
        assert "service:lis" not in said(watching[0].poll(3.9))
        assert "service:lis" not in said(watching[0].poll(0.3)), "asked now, answered later"
        watching[0].readings(kind="service")


def test_a_service_whose_only_host_is_deaf_reads_fail_with_a_sentence(port: int, watching: list[Watching]) -> None:
    state = answering(tcp("lis-works", DEAF, service="lis"), port=port)
    out(state, *players(state, "lis"))
    watching.append(Watching(state))
    (reading,) = watching[0].readings(kind="service")
    assert reading.outcome == "FAIL"
    assert f":{DEAF}" in reading.sentence


def test_a_host_counts_for_its_service_only_with_all_of_its_checks(port: int, watching: list[Watching]) -> None:
    state = answering(tcp("dns-answers", port, service="dns"), tcp("dns-resolves", DEAF, service="dns"), port=port)
    members = players(state, "dns")
    assert len(members) > 1, "two hosts that pass one of two checks each are no working host"
    state.quorum[state.estate.service_number["dns"]] = 1
    out(state, *members)
    watching.append(Watching(state))
    (reading,) = watching[0].readings(kind="service")
    assert reading.outcome == "FAIL"


def test_a_connect_alone_is_never_what_a_service_is_judged_by(port: int, watching: list[Watching]) -> None:
    shallow = tcp("lis-connects", port, service="lis").model_copy(update={"level": "L0"})
    state = answering(shallow, port=port)
    out(state, *players(state, "lis"))
    watching.append(Watching(state))
    assert not [event for event in watching[0].poll() if isinstance(event, Reading)]
    assert not watching[0].watch._rounds


def test_a_released_host_is_asked_every_interval_and_one_in_service_rarely(port: int, watching: list[Watching]) -> None:
    state = answering(tcp("server-up", port, klass="server"), port=port)
    host = next(number for number, one in enumerate(state.estate.content.inventory.hosts) if one.klass == "server")
    out(state, host)
    watching.append(Watching(state))
    (reading,) = watching[0].readings(kind="host")
    assert reading == Reading(f"host:{state.estate.hosts[host]}", "PASS", "")
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")
    out(state, host, stage=Stage.IN_SERVICE)
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")
    assert not watching[0].poll(2 * GENTLE - 1), "half of its interval at least"
    watching[0].now_us += 4 * GENTLE * SECOND
    watching[0].readings(kind="host")


def test_a_host_in_service_that_fails_is_watched_closely_again(port: int, watching: list[Watching]) -> None:
    state = answering(tcp("server-up", port, klass="server"), port=port)
    host = next(number for number, one in enumerate(state.estate.content.inventory.hosts) if one.klass == "server")
    out(state, host, stage=Stage.IN_SERVICE)
    state.failing_us[host] = NOW_US
    watching.append(Watching(state))
    watching[0].readings(kind="host")
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")


def test_a_host_in_service_that_begins_to_fail_need_not_wait_for_its_rare_turn(
    port: int, watching: list[Watching]
) -> None:
    state = answering(tcp("server-up", port, klass="server"), port=port)
    host = next(number for number, one in enumerate(state.estate.content.inventory.hosts) if one.klass == "server")
    out(state, host, stage=Stage.IN_SERVICE)
    watching.append(Watching(state))
    watching[0].poll()
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")
    state.failing_us[host] = watching[0].now_us
    watching[0].poll(1)
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")


def test_what_is_asked_alike_is_asked_at_moments_of_its_own_spread_over_the_interval() -> None:
    minute_us = 60 * SECOND
    moments = sorted(moment_us(f"host:pc-{number}", NOW_US, minute_us) - NOW_US for number in range(1500))
    assert 0 <= moments[0] <= moments[-1] < minute_us
    in_each_second = Counter(moment // SECOND for moment in moments)
    assert len(in_each_second) == 60
    assert max(in_each_second.values()) <= 50, "twenty-five on average"
    later_us = moment_us("host:pc-1", NOW_US + minute_us, minute_us)
    assert later_us - moment_us("host:pc-1", NOW_US, minute_us) == minute_us


def test_a_class_without_checks_is_not_asked_and_stops_nothing(port: int, watching: list[Watching]) -> None:
    state = answering(port=port)
    out(state, *range(len(state.stage)))
    watching.append(Watching(state))
    assert not [event for event in watching[0].poll() if isinstance(event, Reading)]


def test_an_interface_of_a_gate_is_asked_at_the_end_that_came_out(port: int, watching: list[Watching]) -> None:
    state = answering(tcp("results-arrive", port, interface="lis-to-ehr"), port=port)
    assert "interface:lis-to-ehr" in state.estate.gates_of_subject
    out(state, *players(state, "ehr"))
    watching.append(Watching(state))
    (reading,) = watching[0].readings(kind="interface")
    assert (reading.subject, reading.outcome) == ("interface:lis-to-ehr", "PASS")


def test_a_check_by_ssh_accepts_only_the_key_the_restore_brought(port: int) -> None:
    by_ssh = tcp("up", port, klass="server").model_copy(update={"probe": "ssh"})
    state = answering(by_ssh, port=port)
    state.host_key[0] = "ssh-ed25519 AAAA"
    question = question_of(state, 0, by_ssh)
    assert question.params["host_key"] == "ssh-ed25519 AAAA"
    assert question.source == "127.0.0.1"
    assert "host_key" not in question_of(state, 0, tcp("up", port, klass="server")).params


def posts(count: int, port: int) -> Content:
    """The small estate with so many more workstations, all on loopback."""
    return placed(
        with_hosts(small_estate(), *(workstation(f"pc-{n}", "north", "laboratory") for n in range(count))), port
    )


def test_two_hundred_mute_workstations_never_stand_before_a_service(port: int, watching: list[Watching]) -> None:
    with socket.create_server(("0.0.0.0", 0), backlog=1024) as mute:
        deaf = int(mute.getsockname()[1])
        of_pcs = tcp("pc-up", deaf, klass="workstation").model_copy(update={"params": {"speaks": True}})
        content = posts(200, port).model_copy(update={"checks": (of_pcs, tcp("lis-works", port, service="lis"))})
        state = cut_off(content)
        out(state, *range(len(state.stage)))
        watching.append(Watching(state))
        for _ in range(3):
            begun_s = time.monotonic()
            (reading,) = watching[0].readings(kind="service")
            assert reading.outcome == "PASS"
            assert time.monotonic() - begun_s < 4, "within the service's interval"
            assert any(subject.startswith("host:") for subject in watching[0].watch._rounds), (
                "the PCs are still waited for"
            )
            watching[0].now_us += 4 * SECOND


def read_as(stage: Stage, kind: str, state: State, watching: list[Watching]) -> Reading:
    """The reading of the first host of a kind, put at a stage."""
    out(state, next(n for n, one in enumerate(state.estate.content.inventory.hosts) if one.kind == kind), stage=stage)
    watching.append(Watching(state))
    watching[-1].poll()
    watching[-1].now_us += 6 * SECOND  # in service it is first asked at its own moment
    (reading,) = watching[-1].readings(kind="host")
    return reading


@pytest.mark.parametrize("stage", [Stage.RELEASED, Stage.IN_SERVICE])
def test_a_workstation_nobody_hears_may_be_switched_off_and_a_server_may_not(
    port: int, watching: list[Watching], stage: Stage
) -> None:
    pc = read_as(stage, "workstation", answering(tcp("pc-up", DEAF, klass="workstation"), port=port), watching)
    assert (pc.outcome, "switched off" in pc.sentence) == ("UNKNOWN", True)
    server = read_as(stage, "server", answering(tcp("up", DEAF, klass="first-server"), port=port), watching)
    assert server.outcome == "FAIL"


def test_a_workstation_whose_cable_is_out_reads_unknown_and_one_that_takes_calls_and_says_nothing_fails(
    port: int, watching: list[Watching]
) -> None:
    with full_listener() as (_, dropping), peer(stays_silent, address="0.0.0.0") as mute:
        content = placed(small_estate(), port)
        first = next(one for one in content.inventory.hosts if one.kind == "workstation")
        unplugged = with_hosts(content, first.model_copy(update={"address": "127.0.0.1"}))
        speaks = {"params": {"speaks": True}, "timeout_s": 1}
        for number, outcome in ((dropping, "UNKNOWN"), (mute, "FAIL")):
            one = tcp("pc-up", number, klass="workstation").model_copy(update=speaks)
            state = cut_off(unplugged.model_copy(update={"checks": (one,)}))
            assert read_as(Stage.RELEASED, "workstation", state, watching).outcome == outcome


def test_a_workstation_that_answers_wrongly_fails_and_so_does_one_that_answers_in_part(
    port: int, watching: list[Watching]
) -> None:
    wrong = check("pc-works", "L2", klass="workstation").model_copy(update={"port": port})
    half = (tcp("pc-up", port, klass="workstation"), tcp("pc-shares", DEAF, klass="workstation"))
    for checks in ((wrong,), half):
        assert read_as(Stage.RELEASED, "workstation", answering(*checks, port=port), watching).outcome == "FAIL"


@pytest.mark.parametrize(
    ("outcomes", "need", "together"),
    [
        (["PASS", "FAIL"], 1, "PASS"),
        (["PASS", "FAIL"], 2, "FAIL"),
        (["PASS", "UNKNOWN"], 2, "UNKNOWN"),
        (["UNKNOWN", "FAIL", "FAIL"], 2, "FAIL"),
        (["UNKNOWN"], 1, "UNKNOWN"),
        ([], 1, "FAIL"),
    ],
)
def test_a_quorum_is_counted_and_what_is_unknown_never_passes(outcomes: list[Any], need: int, together: str) -> None:
    assert judge([Answer(outcome, f"it is {outcome}") for outcome in outcomes], need)[0] == together


def test_of_several_answers_of_one_host_the_worst_counts() -> None:
    good, open_, bad = Answer("PASS", "up"), Answer("UNKNOWN", "slow"), Answer("FAIL", "down")
    assert worst([good, open_, bad]) is bad
    assert worst([good, open_]) is open_
    assert worst([good]) is good


# sweeps


def test_each_site_is_swept_and_what_answers_is_named(port: int, watching: list[Watching]) -> None:
    state = answering(port=port)
    watching.append(Watching(state))
    swept = {event.site: event for event in watching[0].sweeps(len(state.estate.sites))}
    for number, site in enumerate(state.estate.sites):
        assert swept[site].control
        assert sorted(swept[site].answered) == sorted(state.estate.hosts[h] for h in state.estate.hosts_of_site[number])
        assert swept[site].begun_us == NOW_US, "in the engine's time, as everything it is compared with"


def test_a_host_whose_login_is_silent_is_disproved_by_any_port_that_production_would_use(
    port: int, watching: list[Watching]
) -> None:
    content = placed(small_estate(), port)
    deaf = tuple(one.model_copy(update={"login": one.login.model_copy(update={"port": 9})}) for one in content.classes)
    checks = (tcp("ad-answers", port, service="ad"),)
    state = cut_off(content.model_copy(update={"classes": deaf, "checks": checks}))
    watching.append(Watching(state))
    dialled = {host: {9, port} if "ad" in one.services else {9} for host, one in numbered(state)}
    assert dict(enumerate(watching[0].watch._ports)) == dialled


def numbered(state: State) -> list[tuple[int, Host]]:
    return list(enumerate(state.estate.content.inventory.hosts))


def test_after_a_reconnect_its_site_is_swept_again_within_seconds(port: int, watching: list[Watching]) -> None:
    timing = PRACTICE_TIMING.model_copy(update={"sweep_s": 60})
    state = cut_off(placed(small_estate(timing=timing), port).model_copy(update={"checks": ()}))
    watching.append(Watching(state))
    watching[0].sweeps(len(state.estate.sites))
    state.open["ad-1/reconnect/1"] = OpenAction(0, 0, "reconnect", "", NOW_US)
    assert not watching[0].poll(2)
    del state.open["ad-1/reconnect/1"]
    assert not watching[0].poll(2), "it was swept four seconds ago"
    watching[0].poll(2)
    (swept,) = watching[0].sweeps(1)
    assert (swept.site, swept.begun_us) == (state.estate.sites[0], NOW_US + 6 * SECOND)
    assert not watching[0].poll(6), "once is enough"


def test_a_site_without_a_prober_is_never_swept(port: int, watching: list[Watching]) -> None:
    content = placed(small_estate(), port)
    blind, *others = content.inventory.sites
    sites = (blind.model_copy(update={"prober": None}), *others)
    inventory = content.inventory.model_copy(update={"sites": sites})
    state = cut_off(content.model_copy(update={"inventory": inventory}))
    watching.append(Watching(state))
    for _ in range(3):
        assert blind.id not in {event.site for event in watching[0].sweeps(len(others))}
        watching[0].now_us += state.estate.timing.sweep_s * SECOND


def test_when_an_epoch_sets_time_back_everything_is_asked_anew_as_after_a_start(
    port: int, watching: list[Watching]
) -> None:
    state = answering(tcp("server-up", port, klass="server"), port=port)
    host = next(number for number, one in enumerate(state.estate.content.inventory.hosts) if one.klass == "server")
    out(state, host, stage=Stage.IN_SERVICE)
    for _ in range(2):
        watching.append(Watching(state))
    watching[0].poll()
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")
    watching[1].sweeps(len(state.estate.sites))
    for one in watching:
        one.now_us -= 3 * 86_400 * SECOND
    watching[0].poll()
    watching[0].now_us += 6 * SECOND
    watching[0].readings(kind="host")
    assert {event.begun_us for event in watching[1].sweeps(len(state.estate.sites))} == {watching[1].now_us}


def test_a_sweep_whose_control_target_is_silent_says_so(port: int, watching: list[Watching]) -> None:
    content = placed(small_estate(), DEAF)
    quiet = tuple(site.model_copy(update={"control": "192.0.2.1:9"}) for site in content.inventory.sites)
    state = cut_off(content.model_copy(update={"inventory": content.inventory.model_copy(update={"sites": quiet})}))
    watching.append(Watching(state))
    assert not any(event.control for event in watching[0].sweeps(len(state.estate.sites)))


def test_hosts_that_are_out_or_on_their_way_are_not_swept(port: int, watching: list[Watching]) -> None:
    state = answering(port=port)
    out(state, *range(len(state.stage)))
    out(state, 0, stage=Stage.RECONNECTING)
    watching.append(Watching(state))
    watching[0].poll()
    assert not watching[0].watch._sweeps


def test_a_sweep_that_cannot_be_made_proves_nothing_and_stops_nothing(
    port: int, watching: list[Watching], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def exhausted(*asked: object, **limits: object) -> None:
        # Really using up this process's files would take them from the peers of these tests too.
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("orchestrator.engine.watch.sweep", exhausted)
    state = answering(port=port)
    watching.append(Watching(state))
    swept = watching[0].sweeps(len(state.estate.sites))
    assert [(event.control, event.answered) for event in swept] == [(False, [])] * len(state.estate.sites)
    assert "Too many open files" in caplog.text


def test_a_prober_that_is_stuck_misses_a_sweep_each_interval(
    port: int, watching: list[Watching], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = threading.Event()
    monkeypatch.setattr("orchestrator.engine.watch.sweep", lambda *asked, **limits: free.wait(30))
    state = answering(port=port)
    watching.append(Watching(state))
    sites, interval_us = len(state.estate.sites), state.estate.timing.sweep_s * 1_000_000
    assert watching[0].watch.poll(state, 10 * interval_us) == []
    for number in (11, 12, 13):
        missed = watching[0].watch.poll(state, number * interval_us)
        assert [(event.control, event.answered) for event in missed if isinstance(event, Swept)] == [
            (False, [])
        ] * sites
    free.set()


def test_closing_leaves_no_thread_behind(port: int, tmp_path: Path) -> None:
    state = answering(tcp("lis-works", port, service="lis"), port=port)
    out(state, *players(state, "lis"))
    one = Watching(state)
    one.readings(kind="service")
    one.watch.close()
    wait_until(lambda: not [t for t in threading.enumerate() if t.name.startswith(("probe", "sweep"))], 10)


# what writes


def writing(port: int, address: str = "") -> State:
    """The small estate whose link from laboratory to records is proven by an order that writes."""
    order = check("results-arrive", "L3", interface="lis-to-ehr").model_copy(
        update={"probe": "hl7", "port": port, "params": {"ask": "order", "code": "K"}, "timeout_s": 2}
    )
    content = placed(small_estate(), port).model_copy(update={"checks": (order,)})
    if address:
        hosts = (
            one.model_copy(update={"address": address}) for one in content.inventory.hosts if "ehr" in one.services
        )
        content = with_hosts(content, *hosts)
    state = cut_off(content)
    out(state, *players(state, "ehr"))
    return state


def opened(state: State, subject: str, *, passed: bool = False) -> None:
    for wave in state.estate.gates_of_subject[subject]:
        state.waves[wave].launchers = ("operator-1",)
        state.waves[wave].passed_us = NOW_US if passed else 0


def test_what_writes_is_asked_at_a_gate_that_has_not_passed_and_never_after(
    port: int, watching: list[Watching]
) -> None:
    state = writing(port)
    watching.append(Watching(state))
    watching[0].poll()
    assert "interface:lis-to-ehr" not in watching[0].watch._rounds, "its wave is not launched"
    opened(state, "interface:lis-to-ehr")
    watching[0].now_us += SECOND
    (reading,) = watching[0].readings(kind="interface")
    assert (reading.outcome, "nobody signed an agreement" in reading.sentence) == ("UNKNOWN", True)
    opened(state, "interface:lis-to-ehr", passed=True)
    for _ in range(5):
        assert "interface:lis-to-ehr" not in said(watching[0].poll(60))
    assert "interface:lis-to-ehr" not in watching[0].watch._rounds


def test_an_agreement_is_handed_to_the_probe_with_its_test_patient() -> None:
    state = writing(DEAF)
    (order,) = state.estate.content.checks
    host = players(state, "ehr")[0]
    assert question_of(state, host, order).agreement is None
    state.facts["agreement:ehr"] = {"patient": "TEST-1"}
    assert question_of(state, host, order).agreement == Agreement("agreement:ehr", "TEST-1")
    read = order.model_copy(update={"params": {"ask": "ack"}, "level": "L2", "service": "ehr", "interface": None})
    assert question_of(state, host, read).agreement is None, "what only reads is handed none"


def test_two_who_saw_a_real_case_stand_in_for_what_nobody_agreed_to_until_that_expires(
    watching: list[Watching],
) -> None:
    state = writing(DEAF)
    opened(state, "interface:lis-to-ehr")
    key = state.estate.witness_task["results-arrive"]
    state.tasks[key] = TaskState("confirmed", confirmed_us=NOW_US, seen="Dr Test, sample 4711, 10:41")
    watching.append(Watching(state))
    (reading,) = watching[0].readings(kind="interface")
    assert (reading.outcome, reading.sentence) == ("PASS", "")
    watching[0].now_us += WITNESSED_S * SECOND
    (reading,) = watching[0].readings(kind="interface")
    assert reading.outcome == "UNKNOWN", "a day later it must be seen again"


def test_an_order_that_was_agreed_to_goes_to_a_real_interface_and_tells_one_that_stores_nothing(
    watching: list[Watching],
) -> None:
    heard: list[hl7.Message] = []

    def keeps(message: hl7.Message) -> list[str]:
        heard.append(message)
        return laboratory(message)

    for route, outcome in ((keeps, "PASS"), (acknowledges, "FAIL")):
        with interface(route) as port:
            state = writing(port, address="127.0.0.1")
            opened(state, "interface:lis-to-ehr")
            state.facts["agreement:ehr"] = {"patient": "TEST-1"}
            watching.append(Watching(state))
            (reading,) = watching[-1].readings(kind="interface")
            assert reading.outcome == outcome
    assert [str(message.segment("PID")(3)) for message in heard] == ["TEST-1"]
