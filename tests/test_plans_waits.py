"""No gate is asked for what waits behind it: which gate judges an interface, and which plans are refused for it."""

from __future__ import annotations

import pytest

from orchestrator.errors import ContentError
from orchestrator.inventory.model import Interface, Needs
from orchestrator.plans.drafts import Drafting, Kept, draft_all, in_order
from orchestrator.plans.model import Content, GateRule, Split, Wave
from orchestrator.plans.needs import build
from orchestrator.plans.priority import function_ranks, layers
from orchestrator.plans.waits import Judges, Waits, refuse_gates_that_wait_for_themselves
from orchestrator.plans.waves import derive
from orchestrator.simulation.estates import invented
from tests.estates import names, server, service, with_interfaces, with_restart, with_services
from tests.storyline import hospital

LINK = Interface(id="orders", name=names("Orders"), source="lis", target="rx", protocol="hl7")
LATER = Split(wave="laboratory/slice", name="later", services=("mw",))


def link_to_the_pharmacy(**restart: object) -> Content:
    """A pharmacy and a laboratory of two services, the laboratory behind the pharmacy, with a link between them."""
    content = hospital(
        server("lis-1", "north", "lis"), server("mw-1", "north", "mw"), server("rx-1", "north", "rx"),
        services=(service("lis", "laboratory"), service("mw", "laboratory"), service("rx", "pharmacy")),
        order=("pharmacy", "laboratory"), pinned=(),
    )  # fmt: skip
    return with_restart(with_interfaces(content, LINK), **restart)


def rx_needs_mw(content: Content) -> Content:
    """The same, and the pharmacy cannot come out without the part of the laboratory that may be set apart."""
    return with_services(content, service("rx", "pharmacy", needs=Needs(reconnect=("mw",))))


def kept(content: Content) -> list[Kept]:
    """Every wave of a plan as it stands once all are launched."""
    return [Kept(wave, passed=False) for wave in derive(content).waves]


def interfaces(waves: tuple[Wave, ...]) -> dict[str, tuple[str, ...]]:
    """What each gate judges between services."""
    return {wave.name: wave.gate.interfaces for wave in waves if wave.gate.interfaces}


def test_the_gate_of_the_last_end_judges_an_interface() -> None:
    assert interfaces(derive(link_to_the_pharmacy()).waves) == {"laboratory/slice": ("orders",)}


def test_a_split_is_refused_if_its_first_part_would_judge_an_interface_that_waits_for_it() -> None:
    before = link_to_the_pharmacy()
    with pytest.raises(ContentError) as caught:
        derive(with_restart(rx_needs_mw(before), splits=(LATER,)), kept(before))
    assert caught.value.rule == "waves.interface"
    assert caught.value.sentence == (
        "The gate of laboratory/slice judges the interface orders, and an end of it would wait for that gate. Set "
        "another part apart, or leave the need out, or waive the interface in the rule of that gate."
    )


def test_a_new_need_is_refused_if_a_launched_gate_would_judge_an_interface_that_waits_for_it() -> None:
    """The rule of a launched gate is fixed: nobody is told to waive it there."""
    before = link_to_the_pharmacy(splits=(LATER,))
    with pytest.raises(ContentError) as caught:
        derive(rx_needs_mw(before), kept(before))
    assert caught.value.rule == "waves.interface"
    assert caught.value.sentence == (
        "The gate of laboratory/slice judges the interface orders, and an end of it would wait for that gate. Set "
        "another part apart, or leave the need out."
    )


def test_the_same_split_is_made_where_the_interface_is_waived() -> None:
    before = link_to_the_pharmacy()
    waived = {"laboratory/slice": GateRule(without_interfaces=("orders",))}
    plan = derive(with_restart(rx_needs_mw(before), splits=(LATER,), gates=waived), kept(before))
    assert interfaces(plan.waves) == {}
    assert [wave.name for wave in plan.waves if wave.gate.owed_interfaces] == ["laboratory/slice"]


def test_a_gate_that_has_passed_keeps_nobody_waiting() -> None:
    before = link_to_the_pharmacy()
    waves = [Kept(one.wave, passed=one.wave.name == "laboratory/slice") for one in kept(before)]
    plan = derive(rx_needs_mw(before), waves)
    assert interfaces(plan.waves) == {"laboratory/slice": ("orders",)}


def test_a_need_that_leads_behind_the_gate_through_another_wave_is_refused() -> None:
    """The laboratory needs the pharmacy, which needs what was set apart behind the laboratory."""
    before = with_restart(link_to_the_pharmacy(), splits=(LATER,))
    circle = with_services(rx_needs_mw(before), service("lis", "laboratory", needs=Needs(reconnect=("rx",))))
    with pytest.raises(ContentError) as caught:
        derive(circle, kept(before))
    assert caught.value.rule == "waves.behind"
    assert caught.value.sentence == (
        "lis in laboratory/slice needs rx, which comes out in pharmacy/slice and waits for the gate of "
        "laboratory/slice."
    )


def test_no_gate_of_a_first_plan_waits_for_itself() -> None:
    """That is why `derive` asks nobody about it before waves are kept or set apart."""
    judged = 0
    for seed in range(30):
        content = invented(seed, 60)
        graph, ranks = build(content), function_ranks(content)
        drafting = Drafting(graph, ranks, layers(graph, ranks))
        draft_all(drafting)
        drafts, waits, rules = in_order(drafting.drafts), Waits(drafting), content.restart.gates
        refuse_gates_that_wait_for_themselves(graph, drafts, waits)
        careful, plain = Judges(drafts, rules, waits), Judges(drafts, rules, None)
        careful.give(content.inventory.interfaces)
        plain.give(content.inventory.interfaces)
        assert careful.at == plain.at
        judged += len(plain.at)
    assert judged > 20
