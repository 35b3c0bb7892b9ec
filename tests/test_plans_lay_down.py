"""An estate to start from: the reference, or what a list of hosts says, in an empty folder and nowhere else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orchestrator.errors import ContentError, UsageError
from orchestrator.inventory.sources import blocks_everything
from orchestrator.plans.files import load, usable
from orchestrator.plans.lay_down import COLUMNS, lay_down, reference_estate
from orchestrator.plans.model import Content
from orchestrator.plans.review import examine


@pytest.fixture(scope="module")
def reference() -> Content:
    return usable(reference_estate())


def listing(tmp_path: Path, rows: list[str]) -> Path:
    path = tmp_path / "hosts.csv"
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n", encoding="utf-8")
    return path


def first_classes(reference: Content) -> dict[str, str]:
    """One class of servers and one of workstations."""
    return {each.kind: each.id for each in reversed(reference.classes)}


def every(reference: Content, step: int) -> list[str]:
    """Every so-manieth host of the reference as a row of the list, all servers of the foundations among them."""
    foundations = {each.id for each in reference.inventory.services if each.function is None}
    return [
        f"{host.id},{host.kind},{host.site},{' '.join(host.services) or host.function},{host.klass}"
        for number, host in enumerate(reference.inventory.hosts)
        if number % step == 0 or foundations & set(host.services)
    ]


def test_a_new_estate_is_the_reference_to_the_byte(tmp_path: Path, reference: Content) -> None:
    written = lay_down(tmp_path / "estate").files
    assert usable(tmp_path / "estate").digest == reference.digest
    names = {path.relative_to(tmp_path / "estate").as_posix() for path in written}
    assert {"inventory/README.md", "plans/README.md", "checks/README.md", "plans/schema/restart.json"} <= names
    assert "plans/playbooks/restore.yml" in names
    assert {one.severity for one in examine(tmp_path / "estate").findings} <= {"warning", "debt"}


def test_an_empty_folder_that_exists_is_filled(tmp_path: Path) -> None:
    (tmp_path / "estate").mkdir()
    assert lay_down(tmp_path / "estate").files


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_nothing_is_written_over_anything(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "estate"
    if kind == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="is not an empty folder; nothing was written"):
        lay_down(target)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_estate_from_a_list_holds_exactly_its_hosts_with_addresses_of_their_own(
    tmp_path: Path, reference: Content
) -> None:
    rows = every(reference, 7)
    lay_down(tmp_path / "estate", listing(tmp_path, rows))
    content, findings, _ = load(tmp_path / "estate")
    assert findings == []
    assert content is not None
    hosts = content.inventory.hosts
    assert [host.id for host in hosts] == [row.split(",")[0] for row in rows]
    assert {site.id for site in content.inventory.sites} == {host.site for host in hosts}
    assert len({host.address for host in hosts} | {host.management for host in hosts}) == 2 * len(hosts)
    number = {site.id: site.prober.split(".")[1] for site in content.inventory.sites}
    assert all(host.address.split(".")[1] == number[host.site] for host in hosts)


def test_an_estate_from_a_list_refers_to_nothing_that_was_left_out(tmp_path: Path, reference: Content) -> None:
    lay_down(tmp_path / "estate", listing(tmp_path, every(reference, 7)))
    wrong = [one.message for one in blocks_everything(examine(tmp_path / "estate").findings)]
    # What the list does not know is asked for, nothing else: functions whose own services are not in it.
    assert all("has no check on any of its services" in message for message in wrong), wrong


def test_the_whole_reference_as_a_list_comes_back_with_a_plan(tmp_path: Path, reference: Content) -> None:
    lay_down(tmp_path / "estate", listing(tmp_path, every(reference, 1)))
    found = examine(tmp_path / "estate")
    assert blocks_everything(found.findings) == []
    assert found.plan is not None
    assert len({host for wave in found.plan.waves for host in wave.hosts}) == len(reference.inventory.hosts)


def test_services_and_functions_nobody_knows_are_laid_down_bare_for_review_to_ask_about(
    tmp_path: Path, reference: Content
) -> None:
    classes = first_classes(reference)
    rows = [
        "srv-1,server,main,tele-stroke,{server}".format(**classes),
        "srv-2,server,main,,{server}".format(**classes),
        "pc-1,workstation,main,stroke,{workstation}".format(**classes),
    ]
    lay_down(tmp_path / "estate", listing(tmp_path, rows))
    content, findings, _ = load(tmp_path / "estate")
    assert findings == []
    assert content is not None
    assert {each.id: each.name.en for each in content.inventory.services if each.kind == "inside"} == {
        "tele-stroke": "Tele stroke"
    }
    assert "stroke" in {each.id for each in content.inventory.functions}
    said = [one.message for one in examine(tmp_path / "estate").findings]
    assert "The service `tele-stroke` has no check of L2 or L3, so no gate can ever pass it." in said
    assert "Nobody knows which services the server `srv-2` plays." in said


def test_what_is_left_out_or_made_up_is_said_and_review_asks_for_it(tmp_path: Path) -> None:
    rows = [
        "hv-1,server,north,hypervisors,hypervisor",
        "hv-2,server,north,hypervisors,hypervisor",
        "hv-3,server,north,hypervisors,hypervisor",
        "lis-1,server,sparrows,lis,server-windows",
        "pc-1,workstation,sparrows,labratory,pc-clinical",
        "pc-2,workstation,annex,laboratory,pc-clinical",
    ]
    notes = lay_down(tmp_path / "estate", listing(tmp_path, rows)).notes
    assert notes[:3] == [
        "All addresses are made up, from 240.0.0.0 on, where nobody has one: put in the real ones.",
        "The site `annex` is laid down as a hospital that isolates by playbook: say what it is.",
        "The function `labratory` is not known and laid down bare; did you mean `laboratory`?",
    ]
    (told,) = [note for note in notes if note.startswith("class server-windows:")]
    assert "source was repository:backup-repository, becomes media" in told
    assert "needs.inspect without edr, without forensic-collector" in told
    assert [note for note in notes if note.startswith("service lis: quorum was 2, becomes 1")]
    content, _, _ = load(tmp_path / "estate")
    assert content is not None
    assert next(each.needs.restore for each in content.classes if each.id == "hypervisor") == (
        "clean-network", "admin-laptops",
    )  # fmt: skip
    sites = {site.id: site for site in content.inventory.sites}
    assert {name: site.kind for name, site in sites.items()} == {
        "annex": "hospital", "north": "hospital", "sparrows": "creche",
    }  # fmt: skip
    assert sites["north"].quarantine_flows == ("admin-laptops", "clean-network", "hypervisors")
    assert sites["sparrows"].quarantine_flows == ("admin-laptops", "clean-network", "hypervisors")
    assert sites["annex"].quarantine_flows == ()
    debt = [one.message for one in examine(tmp_path / "estate").findings if one.severity == "debt"]
    assert len([message for message in debt if "are made up" in message]) == 3
    assert any(message.startswith("Nobody knows what examines hosts of class `server-windows`") for message in debt)
    assert any(message.startswith("Nobody knows where hosts of class `server-windows`") for message in debt)
    said = [one.message for one in examine(tmp_path / "estate").findings if one.severity == "warning"]
    assert not [message for message in said if "quarantine" in message]


def test_the_readme_of_an_estate_from_a_list_claims_nothing_about_its_size(tmp_path: Path) -> None:
    lay_down(tmp_path / "estate", listing(tmp_path, ["hv-1,server,north,hypervisors,hypervisor"]))
    text = (tmp_path / "estate" / "inventory" / "README.md").read_text(encoding="utf-8")
    assert "how many here" not in text
    assert all("reference" in part for part in text.split("\n\n") if "200 servers" in part or "fifteen sites" in part)


def test_a_disk_that_fills_up_leaves_nothing_half_laid_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("orchestrator.plans.lay_down._write_hosts", full)
    with pytest.raises(OSError, match="No space left"):
        lay_down(tmp_path / "estate", listing(tmp_path, ["hv-1,server,north,hypervisors,hypervisor"]))
    assert not list((tmp_path / "estate").iterdir())


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("x-1,server,main,lis,no-such-class", "There is no class `no-such-class`"),
        ("x-1,printer,main,lis,{server}", "`kind` must be 'server' or 'workstation'; it is 'printer'."),
        ("X 1,server,main,lis,{server}", "`id` must be an id"),
        ("x-1,server,,lis,{server}", "The field `site` is missing."),
        ("x-1,workstation,main,laboratory,{server}", "is for servers, `x-1` is another."),
        ("x-1,workstation,main,laboratory radiology,{workstation}", "names several functions; it serves one."),
        ("x-1,server,main,lis,{server}\nx-1,server,main,lis,{server}", "The id `x-1` stands already at hosts.csv"),
        ("x-1,server", "The row has 2 cells and the header 5."),
        ("", "The list names no host."),
    ],
)
def test_a_list_that_cannot_be_used_is_told_line_by_line_and_nothing_is_written(
    tmp_path: Path, reference: Content, row: str, sentence: str
) -> None:
    with pytest.raises(ContentError) as caught:
        lay_down(tmp_path / "estate", listing(tmp_path, [row.format(**first_classes(reference))]))
    assert sentence in caught.value.sentence
    assert caught.value.sentence.startswith("Nothing was written")
    assert not (tmp_path / "estate").exists()


def test_a_list_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="no plain file"):
        lay_down(tmp_path / "estate", tmp_path / "absent.csv")
