"""What stands between a host and its next step: units, quarantine, horizon, needs."""

from __future__ import annotations

from functools import partial

from orchestrator.decision.blockers import blockers, next_step
from orchestrator.decision.explain import why
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content
from tests.estates import server, service, with_restart
from tests.storyline import Story, Tell, hospital, plain_class

FOUNDATIONS = "foundations"


def directory(*hosts: str, quorum: int = 1) -> Content:
    """AD and DNS in one unit, on hosts named after what they play (`ad-1`, `dns-1`)."""
    services = (
        service("ad", unit="directory", needs=Needs(reconnect=("dns",)), quorum=quorum),
        service("dns", unit="directory", needs=Needs(reconnect=("ad",))),
    )
    return hospital(*(server(host, "north", host.partition("-")[0]) for host in hosts), services=services)


def standing(story: Story, host: str, step: str = "") -> list[str]:
    """Every blocker of the host's next step, or of the step told."""
    number = story.host(host)
    return [
        " ".join(one) for one in blockers(story.state, number, step or next_step(story.state, number), story.now_us)
    ]


def clean(story: Story, *hosts: str) -> Story:
    """The hosts but the last are clean; the last lacks its second verdict."""
    story.inspected(*hosts).sweep().whatever()
    for host in hosts:
        story.verdicts(host, "analyst-1").nothing()
    for host in hosts[:-1]:
        story.verdicts(host, "analyst-2").nothing()
    return story


def test_everything_unmet_is_told_and_nothing_else(tell: Tell) -> None:
    lis = service("lis", "laboratory", needs=Needs(restore=("files",), reconnect=("files",)))
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"), services=(service("files"), lis),
        classes=(plain_class("server", preservation="required"),),
    )  # fmt: skip
    story = tell(content).signed()
    assert standing(story, "lis-1") == ["isolation north"]
    assert standing(story, "lis-1", "restore") == ["isolation north", "evidence lis-1", "fact t0", "need files"]
    assert standing(story, "lis-1", "inspect") == ["horizon laboratory/slice", "isolation north"]
    assert standing(story, "lis-1", "reconnect") == [
        "quarantine lis-1", "verdicts 2", "launch laboratory/slice", "gate foundations", "fact breach_closed",
        "need files",
    ]  # fmt: skip


def test_a_host_that_the_plan_leaves_off_is_excluded_at_the_start_and_not_taken_back(tell: Tell) -> None:
    content = hospital(server("lis-1", "north", "lis"), server("lis-2", "north", "lis"))
    story = tell(with_restart(content, leave_off=("lis-2",))).signed()
    assert story.stage("lis-2") is Stage.EXCLUDED
    assert not story.state.waves[0].failures, "nobody counted on it"
    for step in ("restore", "inspect", "reconnect"):
        assert "left-off lis-2" in standing(story, "lis-2", step)
    back = partial(story.order, "host.take-back", "lis-2", "operator-1", "it-director")
    assert "change the plan first" in story.refuses("hosts.left-off", back).sentence


def test_two_clean_partners_of_a_unit_come_out_together(tell: Tell) -> None:
    story = clean(tell(directory("ad-1", "dns-1")).begun(), "ad-1", "dns-1")
    assert standing(story, "ad-1") == ["unit ad"]
    story.verdicts("dns-1", "analyst-2").expect("issue ad-1/reconnect/1", "issue dns-1/reconnect/1")


def test_a_unit_whose_partner_is_out_already_needs_only_the_other(tell: Tell) -> None:
    story = clean(tell(directory("ad-1", "dns-1")).begun(), "ad-1", "dns-1")
    story.verdicts("dns-1", "analyst-2").whatever().finish("dns-1/reconnect/1").nothing()
    story.finish("ad-1/reconnect/1", "failed").expect("issue ad-1/isolate/1").finish("ad-1/isolate/1").nothing()
    story.at(1).nothing().sweep().expect("issue ad-1/reconnect/2")


def test_a_partner_that_waits_for_its_next_try_keeps_the_other_in(tell: Tell) -> None:
    story = clean(tell(directory("ad-1", "dns-1")).begun(), "ad-1", "dns-1")
    story.order("freeze", "host:dns-1", "operator-1").nothing().verdicts("dns-1", "analyst-2").nothing()
    story.order("thaw", "host:dns-1", "operator-1", "crisis-1")
    story.expect("issue ad-1/reconnect/1", "issue dns-1/reconnect/1")


def test_surplus_members_of_a_unit_follow_once_it_is_in_service(tell: Tell) -> None:
    story = clean(tell(directory("ad-1", "ad-2", "dns-1")).begun(), "ad-1", "ad-2", "dns-1")
    story.verdicts("dns-1", "analyst-2").expect("issue ad-1/reconnect/1", "issue dns-1/reconnect/1")
    assert standing(story, "ad-2") == ["unit ad"]
    story.in_service("ad-1").bring("dns-1", Stage.RELEASED).read("host:dns-1").nothing()
    story.read("host:dns-1").expect("enter service dns-1", "issue ad-2/reconnect/1")


def test_a_unit_waits_until_each_service_has_as_many_clean_hosts_as_it_asks(tell: Tell) -> None:
    story = clean(tell(directory("ad-1", "dns-1", "ad-2", quorum=2)).begun(), "ad-1", "dns-1", "ad-2")
    story.verdicts("ad-2", "analyst-2")
    story.expect("issue ad-1/reconnect/1", "issue dns-1/reconnect/1", "issue ad-2/reconnect/1")


def test_a_dropped_member_keeps_nobody_of_its_unit_waiting(tell: Tell) -> None:
    story = clean(tell(directory("ad-1", "dns-1")).begun(), "ad-1", "dns-1").excluded("dns-1").nothing()
    story.order("service.drop-need", "dns", "operator-1", "crisis-1").expect("issue ad-1/reconnect/1")


def with_small_quarantine() -> Content:
    """Two waves at a site whose quarantine holds one host."""
    content = hospital(
        server("files-1", "north", "files"), server("files-2", "north", "files"),
        server("lis-1", "north", "lis"), server("lis-2", "south", "lis"),
        services=(service("files"), service("lis", "laboratory")),
    )  # fmt: skip
    north, south = content.inventory.sites
    sites = (north.model_copy(update={"quarantine_hosts_max": 1}), south)
    return content.model_copy(update={"inventory": content.inventory.model_copy(update={"sites": sites})})


def test_a_full_quarantine_keeps_out_only_hosts_beyond_the_horizon(tell: Tell) -> None:
    story = tell(with_small_quarantine()).opened().launched().finish("north/isolate/1")
    story.expect("issue files-1/restore/1 restore", "issue files-2/restore/1 restore")
    assert "quarantine-full north" in standing(story, "lis-1")
    story.finish("south/isolate/1").nothing().finish("files-1/restore/1", "failed")
    story.expect("issue lis-2/restore/1 restore")


def test_whoever_waits_for_room_in_the_quarantine_goes_on_when_a_host_leaves_it(tell: Tell) -> None:
    story = tell(with_small_quarantine()).opened().launched().finish("north/isolate/1").whatever()
    story.order("host.exclude", "files-2", "operator-1", "crisis-1").whatever()
    story.stop("files-2/restore/1").expect("exclude files-2")
    story.finish("files-1/restore/1").expect("issue files-1/inspect/1").finish("files-1/inspect/1").nothing()
    story.sweep().nothing().verdicts("files-1", "analyst-1").nothing().verdicts("files-1", "analyst-2")
    story.expect("issue files-1/reconnect/1", "issue lis-1/restore/1 restore")


def test_a_restore_need_is_met_while_its_service_is_in_service_and_reads_pass(tell: Tell) -> None:
    content = hospital(
        server("files-1", "north", "files"), server("lis-1", "north", "lis"),
        services=(service("files"), service("lis", "laboratory", needs=Needs(restore=("files",)))),
    )  # fmt: skip
    story = tell(content).begun().in_service("files-1")
    assert standing(story, "lis-1") == ["need files"]
    story.read("service:files").expect("start soak foundations", "issue lis-1/restore/1 restore")
    story.read("service:files", "FAIL").expect("break soak foundations")
    story.finish("lis-1/restore/1", "failed").nothing().at(1).nothing()
    assert standing(story, "lis-1") == ["need files"], "what ran went on, nothing new starts"


def test_a_verdict_must_outlive_the_time_the_reconnect_may_take(tell: Tell) -> None:
    story = tell().begun().inspected("lis-1").sweep().whatever().verdicts("lis-1", "analyst-1", valid_s=15).nothing()
    story.verdicts("lis-1", "analyst-2").nothing()
    assert standing(story, "lis-1") == ["verdicts 1"]
    story.at(15).nothing().verdicts("lis-1", "analyst-1").expect("issue lis-1/reconnect/1")


def test_a_host_of_a_site_without_a_prober_is_restored_and_never_released(tell: Tell) -> None:
    content = hospital()
    sites = tuple(one.model_copy(update={"prober": None}) for one in content.inventory.sites)
    content = content.model_copy(update={"inventory": content.inventory.model_copy(update={"sites": sites})})
    story = tell(content).opened().launched()
    story.finish("north/isolate/1").whatever().finish("lis-1/restore/1").whatever().finish("lis-1/inspect/1").nothing()
    assert story.stage("lis-1") is Stage.INSPECTED
    first = next(blockers(story.state, story.host("lis-1"), "reconnect", story.now_us))
    assert first == ("no-prober", "north")
    assert why(story.state, story.host("lis-1"), story.now_us)[0].sentence == (
        "north has no outside prober: what stands there is restored, and never released."
    )


def test_a_reconnect_stops_when_a_service_it_needs_is_recalled_before_its_gate(tell: Tell) -> None:
    services = (service("base", "laboratory"), service("lis", "laboratory", needs=Needs(reconnect=("base",))))
    content = hospital(server("base-1", "north", "base"), server("lis-1", "north", "lis"), services=services)
    story = tell(content).begun().in_service("base-1").inspected("lis-1").sweep().whatever()
    story.verdicts("lis-1", "analyst-1", "analyst-2").expect("issue lis-1/reconnect/1")
    story.order("host.recall", "base-1", "operator-1", "crisis-1", stops=["base"]).expect("issue base-1/isolate/1")
    story.finish("base-1/isolate/1").expect("cancel lis-1/reconnect/1", "issue base-1/inspect/2")
    assert story.reason(0) == "a service it needs is no longer in service"
