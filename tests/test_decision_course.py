"""What the core's own commands about a host change: its successor, its strategy, its end."""

from __future__ import annotations

from functools import partial

from orchestrator.decision.blockers import blockers
from orchestrator.decision.stages import Stage
from orchestrator.inventory.model import Needs
from orchestrator.plans.model import Content, Strategy
from tests.estates import server, service, workstation
from tests.storyline import T0_US, Story, Tell, hospital, plain_class, words

LAB = "laboratory/slice"


def servers(count: int, *strategies: Strategy, quorum: int = 1) -> Content:
    """One laboratory service on so many servers of one class."""
    hosts = tuple(server(f"lis-{number}", "north", "lis") for number in range(1, count + 1))
    classes = (plain_class("server", strategies=strategies or ("restore",)),)
    return hospital(*hosts, services=(service("lis", "laboratory", quorum=quorum),), classes=classes)


def chosen(story: Story) -> set[str]:
    """The hosts that were chosen for a quorum or a slice."""
    return {story.state.estate.hosts[host] for host in story.state.chosen}


def spoil(story: Story, name: str) -> Story:
    """No restore of this host is old enough."""
    for _ in range(2):
        lane = story.bring(name, Stage.RESTORING).state.lanes[0][story.host(name)]
        story.finish(lane, restore_point_us=T0_US).whatever()
    return story


def test_a_quorum_member_that_fails_hands_its_urgency_to_the_next_candidate(tell: Tell) -> None:
    story = tell(servers(3)).begun()
    assert chosen(story) == {"lis-1"}
    urgency = story.state.urgency[story.host("lis-1")]
    assert story.state.urgency[story.host("lis-2")] > urgency
    spoil(story, "lis-1")
    assert (story.stage("lis-1"), chosen(story)) == (Stage.FAILED, {"lis-2"})
    assert story.state.urgency[story.host("lis-2")] == urgency


def test_a_host_nobody_chose_hands_nothing_over(tell: Tell) -> None:
    story = spoil(tell(servers(3)).begun(), "lis-3")
    assert (story.stage("lis-3"), chosen(story)) == (Stage.FAILED, {"lis-1"})


def test_beside_a_quorum_member_that_begins_anew_the_most_advanced_candidate_is_as_urgent(tell: Tell) -> None:
    story = tell(servers(4, "restore", "reimage")).begun().finish("lis-2/restore/1", "failed").whatever()
    urgency = story.state.urgency[story.host("lis-1")]
    spoil(story, "lis-1")
    assert (story.stage("lis-1"), chosen(story)) == (Stage.RESTORING, {"lis-1", "lis-3"})
    assert story.state.urgency[story.host("lis-3")] == urgency


def test_who_is_as_urgent_beside_a_quorum_member_that_begins_anew_was_not_chosen_before(tell: Tell) -> None:
    story = tell(servers(4, "restore", "reimage", quorum=2)).begun().inspected("lis-2").whatever()
    assert chosen(spoil(story, "lis-1")) == {"lis-1", "lis-2", "lis-3"}


def test_nobody_hurries_for_a_host_that_was_not_chosen_or_is_alone_or_whose_service_is_there(tell: Tell) -> None:
    story = spoil(tell(servers(3, "restore", "reimage")).begun(), "lis-3")
    assert chosen(story) == {"lis-1"}
    story = spoil(tell(servers(1, "restore", "reimage")).begun(), "lis-1")
    assert chosen(story) == {"lis-1"}
    story = tell(servers(3, "restore", "reimage")).begun().bring("lis-2", Stage.IN_SERVICE)
    assert chosen(spoil(story, "lis-1")) == {"lis-1"}


def test_the_last_candidate_has_no_successor(tell: Tell) -> None:
    story = spoil(spoil(tell(servers(2)).begun(), "lis-1"), "lis-2")
    assert chosen(story) == set()


def test_each_service_of_a_host_that_fails_gets_a_successor_of_its_own(tell: Tell) -> None:
    content = hospital(
        server("both-1", "north", "lis", "pacs"), server("lis-2", "north", "lis"), server("pacs-2", "north", "pacs"),
        services=(service("lis", "laboratory"), service("pacs", "laboratory")),
    )  # fmt: skip
    story = tell(content).begun()
    assert chosen(story) == {"both-1"}
    story.excluded("both-1")
    assert chosen(story) == {"lis-2", "pacs-2"}


def test_a_slice_post_is_replaced_at_its_own_site(tell: Tell) -> None:
    sites = ("north", "south")
    posts = [workstation(f"{site}-{number}", site, "laboratory") for site in sites for number in (1, 2, 3)]
    story = tell(hospital(server("lis-1", "north", "lis"), *posts)).begun().excluded("south-1")
    assert story.state.posts[story.wave(LAB)] == [[story.host("north-1")], [story.host("south-2")]]
    rest = story.state.posts[story.wave("laboratory/rest-1")]
    assert story.host("south-2") not in {post for posts in rest for post in posts}


def test_a_class_that_ends_with_leave_off_excludes_by_itself(tell: Tell) -> None:
    story = spoil(tell(servers(2, "restore", "leave_off")).begun(), "lis-2")
    assert story.stage("lis-2") is Stage.EXCLUDED
    story.order("host.take-back", "lis-2", "operator-1", "crisis-1").expect("issue lis-2/restore/3 restore")


def test_leaving_off_the_last_host_of_a_quorum_asks_first(tell: Tell) -> None:
    story = spoil(tell(servers(1, "restore", "leave_off")).begun(), "lis-1")
    assert story.asks("lis-1") == {"host": "without it lis cannot reach its quorum: leave it off?"}
    story.at(60).nothing()
    story.order("host.retry", "lis-1", "operator-1", strategy="reimage").expect("issue lis-1/restore/3 reimage")


def test_once_the_need_is_dropped_the_last_host_is_left_off(tell: Tell) -> None:
    story = spoil(tell(servers(1, "restore", "leave_off")).begun(), "lis-1")
    story.order("service.drop-need", "lis", "operator-1", "crisis-1").expect("exclude lis-1", f"start soak {LAB}")


def test_a_class_that_replaces_first_reimages_next(tell: Tell) -> None:
    story = tell(servers(1, "replace", "reimage")).opened().finish("north/isolate/1").whatever()
    for person in ("technician-1", "operator-1"):
        story.order("task.done", "lis-1/replace", person).whatever()
    for number, wait_s in ((1, 1), (2, 2)):
        story.finish(f"lis-1/restore/{number}", "failed").nothing().at(wait_s).whatever()
    story.finish("lis-1/restore/3", "failed").expect("change strategy lis-1 reimage", "issue lis-1/restore/4 reimage")


def test_an_exclusion_waits_for_an_isolation_and_never_cancels_it(tell: Tell) -> None:
    story = tell(servers(2)).begun().finish("lis-1/restore/1").whatever()
    story.order("host.isolate", "lis-2", "operator-1").expect("issue lis-2/isolate/1")
    story.order("host.exclude", "lis-2", "operator-1", "crisis-1").expect("cancel lis-2/restore/1")
    story.finish("lis-2/restore/1").nothing()
    assert story.stage("lis-2") is Stage.RESTORED, "the restore had begun and ends, nothing else starts"
    story.finish("lis-2/isolate/1").expect("exclude lis-2")


def test_an_action_asked_to_stop_is_asked_once(tell: Tell) -> None:
    story = tell(servers(2)).begun().order("host.exclude", "lis-2", "operator-1", "crisis-1")
    story.expect("cancel lis-2/restore/1").sweep().nothing().at(5).nothing()
    story.stop("lis-2/restore/1").expect("exclude lis-2")


# what a recall freezes


def restored_from_backup() -> Content:
    """The laboratory server is restored from one of two backup servers, with which a third server has nothing to do."""
    backed = service("lis", "laboratory", needs=Needs(restore=("backup",)))
    services = (service("backup"), backed, service("fax", "laboratory"))
    backups = (server("backup-1", "north", "backup"), server("backup-2", "north", "backup"))
    return hospital(*backups, server("lis-1", "north", "lis"), server("fax-1", "north", "fax"), services=services)


def recalled(story: Story) -> Story:
    """A backup server is recalled; the other one goes on."""
    return story.order("host.recall", "backup-1", "operator-1")


def waits(story: Story, name: str) -> list[tuple[str, str]]:
    """What stands between an inspected host and its reconnect, verdicts aside."""
    found = blockers(story.state, story.host(name), "reconnect", story.now_us)
    return [one for one in found if one[0] not in ("verdicts", "gate")]


def test_a_recall_freezes_whom_the_host_spoke_with_until_it_is_cut_off_and_two_persons_thaw(tell: Tell) -> None:
    story = tell(restored_from_backup()).begun().passed("foundations").inspected("lis-1", "fax-1").whatever()
    recalled(story).expect("freeze reach:backup-1 ['lis-1']", "issue backup-1/isolate/1")
    assert story.state.freezes == {"reach:backup-1": "recall"}
    story.whatever().verdicts("lis-1", "analyst-1", "analyst-2").nothing()
    assert waits(story, "lis-1") == [("reach", "backup-1")]
    story.verdicts("fax-1", "analyst-1", "analyst-2").expect("issue fax-1/reconnect/1")
    thaw = partial(story.order, "thaw", "reach:backup-1", "operator-1", "it-director")
    assert "backup-1 is out: recall it" in story.refuses("freeze.reach", thaw).sentence
    story.finish("backup-1/isolate/1").whatever()
    assert story.state.freezes == {"reach:backup-1": "isolated"}
    assert waits(story, "lis-1") == [("reach", "backup-1")]
    thaw().expect("issue lis-1/reconnect/1")
    assert (story.state.freezes, story.state.reach) == ({}, {})
    story.refuses("freeze.scope", thaw)


def test_a_reconnect_that_has_not_begun_is_stopped_when_a_host_it_spoke_with_is_recalled(tell: Tell) -> None:
    story = tell(restored_from_backup()).begun().passed("foundations").bring("lis-1", Stage.RECONNECTING).whatever()
    recalled(story).expect("freeze reach:backup-1 ['lis-1']", "cancel lis-1/reconnect/1", "issue backup-1/isolate/1")
    assert story.reason(1) == "reach backup-1"


def test_a_host_found_infected_while_out_freezes_its_reach_before_anybody_recalls_it(tell: Tell) -> None:
    story = tell(restored_from_backup()).begun().passed("foundations").inspected("lis-1").whatever()
    story.verdicts("backup-1", "analyst-3", verdict="INFECTED")
    assert [words(one) for one in story.left[:2]] == ["freeze reach:backup-1 ['lis-1']", "ask backup-1 network"]
    story.whatever().order("host.retry", "backup-1", "operator-1").expect("ask backup-1 network")
    assert story.state.freezes == {"reach:backup-1": "recall"}, "that somebody waved the question aside thaws nobody"
    recalled(story).expect("issue backup-1/isolate/1")


def test_the_reach_of_a_suspect_thaws_by_itself_once_enough_persons_found_it_clean(tell: Tell) -> None:
    story = tell(restored_from_backup()).begun().passed("foundations").inspected("lis-1").whatever()
    story.verdicts("backup-1", "analyst-3", verdict="SUSPECT").whatever()
    assert story.state.freezes == {"reach:backup-1": "recall"}
    story.finish("backup-1/inspect/2").whatever().verdicts("backup-1", "analyst-1").nothing()
    story.verdicts("backup-1", "analyst-2")
    assert "thaw reach:backup-1" in [words(one) for one in story.left]
    assert (story.whatever().state.freezes, story.state.reach) == ({}, {})


def test_a_host_that_is_recalled_again_before_anybody_thawed_freezes_those_of_before_and_those_of_since(
    tell: Tell,
) -> None:
    story = tell(restored_from_backup()).begun().passed("foundations").inspected("lis-1").whatever()
    recalled(story).whatever().finish("backup-1/isolate/1").whatever().bring("backup-1", Stage.RELEASED).whatever()
    story.excluded("lis-1")
    recalled(story).expect("freeze reach:backup-1", "issue backup-1/isolate/2")
    assert story.state.reach == {story.host("backup-1"): frozenset({story.host("lis-1")})}
    assert story.state.freezes == {"reach:backup-1": "recall"}
