"""Hosts nobody could reach, work on or release, sites without room, and shifts that cannot sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.small_estate import SmallEstate

SERVERS = "inventory/servers.csv"
CAPACITY = "plans/capacity.yaml"


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence", "hosts"),
    [
        ("inventory/workstations.csv", "N1.14,laboratory,workstation", "N1.14,laboratory,server",
         "inventory/workstations.csv:3 The workstation `lab-n-2` is of class `server`, which is for servers.",
         ("lab-n-2",)),
        (SERVERS, "NDC,lis,server", "NDC,lis lab-vendor,server",
         f"{SERVERS}:7 The host `lis-1` plays `lab-vendor`, which is outside and has no hosts.", ("lis-1",)),
        ("inventory/workstations.csv", "10.10.20.2,", "10.10.1.5,",
         "inventory/workstations.csv:3 The host `lab-n-2` has the address 10.10.1.5, as the host `lis-1` has.",
         ("lis-1", "lab-n-2")),
        (SERVERS, "10.10.1.5,", "10.20.250.2,",
         f"{SERVERS}:7 The host `lis-1` has the address 10.20.250.2, as the site `south` has.", ()),
        ("inventory/sites.yaml", "prober: 10.20.250.2", "prober: 10.10.250.2",
         "inventory/sites.yaml:12 The site `south` has the address 10.10.250.2, as the site `north` has.", ()),
        ("inventory/sites.yaml", "[10.20.0.0/16]", "[10.10.128.0/17]",
         "inventory/sites.yaml:15 The network 10.10.128.0/17 of `south` overlaps 10.10.0.0/16 of `north`.", ()),
        ("inventory/sites.yaml", "[10.20.0.0/16]", "[10.20.1.0/16]",
         "inventory/sites.yaml:15 The network 10.20.1.0/16 of `south` has bits set that its length says it has not.",
         ()),
        (CAPACITY, "per_site: {north: 2, south: 1}", "per_site: {north: 2}",
         f"{CAPACITY}:8 The pool `bench` has no room at `south`, where 1 hosts need it.", ("rec-s-1",)),
        (CAPACITY, "per_site: {north: 2, south: 1}", "per_site: {north: 0, south: 1}",
         f"{CAPACITY}:8 The pool `bench` has no room at `north`, where 3 hosts need it.",
         ("lab-n-1", "lab-n-2", "rad-n-1")),
        (CAPACITY, "at once, size: 4}\n  - {id: releases", "at once}\n  - {id: releases",
         f"{CAPACITY}:4 The pool `inspection` has no room at `north`, where 9 hosts need it.",
         ("hv-1", "bk-1", "dc-1", "edr-1", "lis-1", "pacs-1", "lab-n-1", "lab-n-2", "rad-n-1")),
        (CAPACITY, "    per_site:", "    size: 3\n    per_site:",
         f"{CAPACITY}:6 The pool `bench` has a size and sizes per site; keep one of them.", ()),
    ],
)  # fmt: skip
def test_what_keeps_hosts_from_coming_back_is_an_error_that_names_them(
    tmp_path: Path, file: str, old: str, new: str, sentence: str, hosts: tuple[str, ...]
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    found = {f"{one.file}:{one.line} {one.message}": one for one in small.examined().findings}
    assert sentence in found, found.keys()
    assert (found[sentence].severity, found[sentence].hosts) == ("error", hosts)


def test_a_management_address_may_be_shared_by_the_machines_of_one_hypervisor(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(SERVERS, "10.10.201.6", "10.10.201.5")
    assert small.said() == []


def test_a_verdict_that_cannot_outlive_a_reconnect_would_keep_every_host_in(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.append("plans/restart.yaml", "timing: {verdict_valid_s: 300}\n")
    told = [one for one in small.said() if "reconnect" in one]
    assert "A reconnect of class `first-server` may take 300 s and a verdict is valid for 300 s" in told[0]


def test_a_default_size_serves_every_site(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(CAPACITY, "per_site: {north: 2, south: 1}", "per_site_default: 1")
    assert small.said() == []


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("inventory/workstations.csv", "N1.14,laboratory,", "N1.14,,",
         "inventory/workstations.csv:3 Nobody knows which function the workstation `lab-n-2` serves."),
        (SERVERS, "pacs-1,north,NDC,pacs,server,10.10.1.6,10.10.201.6,,02:00:00:00:01:06,NS0006",
         "pacs-1,north,NDC,pacs,server,10.10.1.6,10.10.201.6,,,\nnas-1,north,,,server,10.10.1.9,10.10.201.9,,,",
         f"{SERVERS}:9 Nobody knows which services the server `nas-1` plays."),
    ],
)  # fmt: skip
def test_a_host_nobody_knows_the_use_of_is_debt_and_still_released(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    assert small.said("debt") == [sentence]
    assert small.said() == []


@pytest.mark.parametrize(
    ("persons", "told"),
    [
        ("operator-1, analyst-1, analyst-2", None),
        ("operator-1, analyst-1", "1 operators and 1 analysts"),
        ("analyst-1, analyst-2, analyst-3", "0 operators and 3 analysts"),
        ("operator-1, analyst-1, forensic-lead-1", None),
        ("technician-1", "0 operators and 0 analysts"),
    ],
)
def test_a_shift_supplies_an_operator_and_two_analysts_who_are_other_persons(
    tmp_path: Path, persons: str, told: str | None
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(CAPACITY, "[operator-2, analyst-2, analyst-3]", f"[{persons}]")
    found = [said for said in small.said("warning") if "shift" in said]
    assert found == ([] if told is None else [
        f"{CAPACITY}:11 The shift `night` has {told}; releasing a host takes one operator and two analysts "
        "who are other persons."
    ])  # fmt: skip


def test_an_operator_who_is_also_an_analyst_is_still_one_person(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/roster.yaml", "roles: [operator]", "roles: [operator, analyst]", count=2)
    small.edit(CAPACITY, "[operator-2, analyst-2, analyst-3]", "[operator-2, analyst-2]")
    assert [said for said in small.said("warning") if "The shift `night`" in said]


def test_two_persons_with_one_key_are_an_error_and_a_missing_role_a_warning(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    roster = (small.path / "plans" / "roster.yaml").read_text().splitlines()
    keys = [line.partition("key: ")[2].rstrip("}") for line in roster]
    small.edit("plans/roster.yaml", keys[3], keys[2] + " at home")
    small.edit("plans/roster.yaml", "roles: [crisis]", "roles: [technician]")
    assert small.said()[0].startswith(
        "plans/roster.yaml:4 `operator-2` has the same key as `operator-1`; each person signs with their own."
    )
    assert "plans/roster.yaml:1 Nobody in the roster has the role crisis; some orders need it." in small.said("warning")


def test_an_estate_without_shifts_is_warned(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    text = (small.path / CAPACITY).read_text()
    (small.path / CAPACITY).write_text(text[: text.index("shifts:")])
    assert f"{CAPACITY}:1 No shift is named, so nobody is known to be there to sign." in small.said("warning")


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (SERVERS, "10.10.201.6", "10.10.1.1",
         f"{SERVERS}:8 The management address 10.10.1.1 of `pacs-1` is that of `hv-1`, which goes down too."),
        ("inventory/sites.yaml", "gate: 10.10.250.3:22", "gate: 10.10.1.1:22",
         "inventory/sites.yaml:9 The gate address 10.10.1.1:22 of `north` is that of `hv-1`, "
         "which goes down too."),
        ("inventory/sites.yaml", "control: 10.20.250.1:443", "control: 10.20.20.1:443",
         "inventory/sites.yaml:17 The control address 10.20.20.1:443 of `south` is that of `rec-s-1`, "
         "which goes down too."),
        ("inventory/sites.yaml", "    prober: 10.20.250.2\n", "",
         "inventory/sites.yaml:12 `south` has no outside prober: its hosts can be restored, and none of them is "
         "released."),
        (SERVERS, "10.20.1.4,", "10.10.1.4,",
         "inventory/sites.yaml:15 Outside the networks of `south` are the addresses of ehr-1."),
        ("inventory/sites.yaml", "quarantine_flows: [hypervisor, backup, edr]", "quarantine_flows: [hypervisor, ad]",
         "inventory/sites.yaml:11 From the quarantine of `north` hosts cannot reach backup, edr, "
         "which they need there."),
    ],
)  # fmt: skip
def test_an_address_or_a_quarantine_that_will_not_do_is_a_warning(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    assert sentence in small.said("warning")


def test_servers_are_never_signed_clean_by_one_analyst_alone(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("plans/classes.yaml", "kind: workstation\n", "kind: workstation\n    verdicts_required: 1\n")
    assert small.said() == []
    assert any("out on one verdict only if a lot is signed" in one for one in small.said("warning"))
    small.edit("plans/classes.yaml", "kind: server\n", "kind: server\n    verdicts_required: 1\n")
    assert small.said() == [
        "plans/classes.yaml:6 Servers are signed clean by 2 analysts: one alone is for workstations in lots."
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("plans/classes.yaml", "inspect: [edr], reconnect: [ad, dns]}\n    pools: {preserve: [bench]",
         "reconnect: [ad, dns]}\n    pools: {preserve: [bench]",
         "plans/classes.yaml:29 Nobody knows what examines hosts of class `workstation` while they run: "
         "it needs nothing to inspect."),
        ("plans/classes.yaml", "source: media\n    cleanliness: offline\n    strategies: [reimage",
         "source: media\n    cleanliness: offline\n    strategies: [restore, reimage",
         "plans/classes.yaml:7 Nobody knows where hosts of class `first-server` are restored from: "
         "its source is media."),
        (SERVERS, "10.20.1.4,", "240.2.1.4,",
         "inventory/sites.yaml:12 Nobody knows the addresses of `south` and its hosts: 240.0.0.0 and up are made up."),
    ],
)  # fmt: skip
def test_what_was_made_up_or_left_out_is_debt(tmp_path: Path, file: str, old: str, new: str, sentence: str) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    assert small.said("debt") == [sentence]
    assert small.said() == []


def test_a_site_of_which_no_workstation_would_be_kept_after_a_waiver_is_named(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)

    def told() -> list[str]:
        return [one for one in small.said("warning") if "no_waiver" in one]

    assert "No workstation of north, south is named" in told()[0]
    small.append("plans/restart.yaml", "no_waiver: [lab-n-1, lis-1]\n")
    assert told()[0].startswith("plans/restart.yaml:9 No workstation of south is named in `no_waiver`: after a waiver")
    small.edit("plans/restart.yaml", "[lab-n-1, lis-1]", "[lab-n-1, rec-s-1]")
    assert told() == []
