"""Entries that do not fit are left out and answered with a sentence a hospital IT person can act on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from orchestrator.errors import Refused
from orchestrator.inventory.fitting import ROWS_AT_ONCE
from orchestrator.plans.files import load
from orchestrator.plans.model import Login
from orchestrator.workers.base import Request
from tests.small_estate import SmallEstate

SERVICES = "inventory/services.yaml"


def said(small: SmallEstate) -> list[str]:
    return [f"{one.file}:{one.line}:{one.column} {one.message}" for one in small.loaded()]


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (SERVICES, "needs: {restore: [hypervisor]}", "needs: {restor: [hypervisor]}",
         "7:13 Service `backup`: There is no field `needs.restor` here; did you mean `restore`?"),
        (SERVICES, "needs: {restore: [hypervisor]}", "quorum: many",
         "7:5 Service `backup`: `quorum` does not fit: input should be a valid integer"),
        (SERVICES, "needs: {restore: [hypervisor]}", "quorum: 0",
         "7:5 Service `backup`: `quorum` does not fit: input should be greater than or equal to 1; it is 0."),
        (SERVICES, "needs: {restore: [hypervisor]}", "needs: [hypervisor]",
         "7:5 Service `backup`: `needs` must be a group of fields; it is ['hypervisor']."),
        (SERVICES, "needs: {restore: [hypervisor]}", "needs: {restore: hypervisor}",
         "7:13 Service `backup`: `needs.restore` must be a list; it is 'hypervisor'."),
        (SERVICES, "needs: {restore: [hypervisor]}", "needs: {restore: [Hyper Visor]}",
         "7:23 Service `backup`: `needs.restore.0` must be an id: at most 63 small letters"),
        (SERVICES, "name: {en: Backup repository, fr: Dépôt de sauvegarde}", "name: {en: Backup repository}",
         "6:5 Service `backup`: The field `name.fr` is missing."),
        (SERVICES, "fr: Dépôt de sauvegarde", "fr: 12",
         "6:35 Service `backup`: `name.fr` must be text (put it in quotes); it is 12."),
        (SERVICES, "fr: Dépôt de sauvegarde", 'fr: "a\\tb"',
         "6:35 Service `backup`: `name.fr` must be one line of printable text"),
        (SERVICES, "kind: outside", "kind: inner",
         "29:5 Service `lab-vendor`: `kind` must be 'inside' or 'outside'; it is 'inner'."),
        ("inventory/sites.yaml", "prober: 10.10.250.2", "prober: 10.10.256.2",
         "7:5 Site `north`: `prober` must be an IPv4 address such as 10.1.2.3; it is '10.10.256.2'."),
        ("inventory/sites.yaml", "    control: 10.20.250.1:443\n", "",
         "12:5 Site `south`: The field `control` is missing."),
        ("inventory/sites.yaml", "control: 10.10.250.1:443", "control: 10.10.250.1",
         "8:5 Site `north`: `control` must be an address and port such as 10.1.2.3:443"),
        ("plans/classes.yaml", "source: repository:backup", "source: tape",
         "15:5 Class `directory-server`: `source` must be `media`, `spare`, `repository:SERVICE`"),
        ("plans/classes.yaml", "strategies: [reimage, replace]", "strategies: []",
         "9:5 Class `first-server`: `strategies` is empty and needs at least one entry."),
        ("plans/capacity.yaml", 'start: "07:00"', 'start: "7:00"',
         "10:15 Shift `day`: `start` must be a time such as 07:30; it is '7:00'."),
        ("plans/restart.yaml", "order: [laboratory", "order: [Laboratory",
         "3:9 `order.0` must be an id"),
        ("plans/restart.yaml", "scenario:", "scenary:",
         "2:1 There is no field `scenary` here; did you mean `scenario`?"),
        ("checks/laboratory.yaml", "service: lis", "service: lis, class: server",
         "3:5 Check `lis-reads-an-order`: A check has exactly one of service, interface, class."),
        ("checks/laboratory.yaml", "level: L2", "level: L4",
         "3:44 Check `lis-reads-an-order`: `level` must be 'L0', 'L1', 'L2' or 'L3'; it is 'L4'."),
    ],
)  # fmt: skip
def test_a_field_that_does_not_fit_is_named_with_its_line_column_and_what_would_fit(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    found = said(small)
    assert len(found) == 1, found
    assert found[0].startswith(f"{file}:{sentence}")
    assert found[0].endswith(".") or found[0].endswith("?")


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        ("plans/roster.yaml", "roles: [crisis]", "roles: [crisys]",
         "`roles.0` must be 'operator', 'analyst', 'technician', 'crisis', 'forensic_lead' or 'it_director'; "
         "it is 'crisys'."),
        ("plans/roster.yaml", "key: ssh-ed25519 AAAA", "key: ssh-ed25519 BBBB",
         "`key` must be one OpenSSH public key line, as in the `.pub` file; it is 'ssh-ed25519 BBBB"),
        ("plans/roster.yaml", "roles: [crisis]", "roles: [crisis], valid_from: soon",
         "`valid_from` must be a day such as 2026-05-01; it is 'soon'."),
        ("plans/restart.yaml", "scenario:", "timing: {waits_s: []}\nscenario:",
         "`timing.waits_s` is empty and needs at least one entry."),
        ("plans/restart.yaml", "scenario:", "timing: {unreachable_s: []}\nscenario:",
         "`timing.unreachable_s` is empty and needs at least one entry."),
        ("inventory/sites.yaml", "gate: 10.10.250.3:22", "gate: 10.10.250.3:65536",
         "`gate` must be an address and port such as 10.1.2.3:22; it is '10.10.250.3:65536'."),
        ("inventory/sites.yaml", "control: 10.10.250.1:443", "control: 10.10.250.1:99999",
         "`control` must be an address and port such as 10.1.2.3:443; it is '10.10.250.1:99999'."),
        ("inventory/sites.yaml", "gate: 10.10.250.3:22", "gate: 10.10.250.3:22\n    gate_user: HOSP\\svc relance",
         "`gate_user` must be an account name"),
        ("plans/classes.yaml", "    os: linux", "    os: linux\n    login: {user: 'HOSP\\svc relance'}",
         "`login.user` must be an account name"),
        ("plans/classes.yaml", "    os: linux", "    os: linux\n    login: {management_user: _svc}",
         "`login.management_user` must be an account name"),
        ("plans/capacity.yaml", 'start: "07:00"', 'start: "29:99"',
         "`start` must be a time such as 07:30; it is '29:99'."),
        ("plans/capacity.yaml", "per_site: {north: 2", "per_site: {north: -2",
         "`per_site.north` does not fit: input should be greater than or equal to 0; it is -2."),
        ("checks/laboratory.yaml", "params: {path:", "params: {pfad:",
         "The probe http has no parameter `pfad`, only path, status, contains, host, tls, ca, name, "
         "certificate, unverified, days_min."),
        ("checks/laboratory.yaml", "params: {path:", 'params: {tls: "yes", path:',
         "`params.tls` must be true or false; it is 'yes'."),
        ("checks/laboratory.yaml", "params: {path:", "params: {tls: [true], path:",
         "`params.tls` must be true or false; it is [True]."),
        ("checks/laboratory.yaml", "params: {path:", "params: {status: true, path:",
         "`params.status` must be a number; it is True."),
        ("checks/foundations.yaml", "probe: tcp, port: 389", "probe: tcp, port: 389, params: {path: /}",
         "The probe tcp has no parameter `path`, only speaks."),
    ],
)  # fmt: skip
def test_what_would_only_fail_in_the_incident_is_one_sentence_now(
    tmp_path: Path, file: str, old: str, new: str, sentence: str
) -> None:
    small = SmallEstate(tmp_path)
    small.edit(file, old, new)
    found = [one for one in small.loaded() if one.severity == "error"]
    assert len(found) == 1, found
    assert sentence in found[0].message


@pytest.mark.parametrize(
    "name", ["relance", "HOSP\\svc relance", "_svc", "svc.relance", "a b", "root\n", "x" * 201, "{{x}}"]
)
def test_an_account_the_review_lets_through_is_one_a_worker_takes(name: str) -> None:
    request = {"action": "a/restore/1", "host": "a", "site": "s", "step": "restore", "strategy": "restore",
               "address": "10.1.1.1", "management": "10.1.1.2", "gate": "10.1.1.3:22", "user": name}  # fmt: skip
    try:
        Login(user=name)
    except ValidationError:
        with pytest.raises(Refused):
            Request.from_json(request)
    else:
        assert Request.from_json(request).user == name


def test_all_problems_are_told_in_one_pass(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(SERVICES, "kind: outside", "kind: inner\n    color: red")
    small.edit("inventory/sites.yaml", "kind: hospital", "kind: castle")
    small.edit("inventory/servers.csv", "10.10.1.5", "ten")
    small.edit("plans/restart.yaml", "scenario:", "scenary:")
    assert [one.file for one in small.loaded()] == [
        "inventory/servers.csv", SERVICES, SERVICES, "inventory/sites.yaml", "plans/restart.yaml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("file", "text", "sentence"),
    [
        (SERVICES, "- id: a\n", "1:1 The file must hold `services:` followed by a list."),
        (SERVICES, "services: {a: 1}\n", "1:1 The file must hold `services:` followed by a list."),
        (SERVICES, "just words\n", "1:1 The file must hold `services:` followed by a list."),
        (SERVICES, "services: []\nservice: []\n", "2:1 There is no `service` in this file; did you mean `services`?"),
        (SERVICES, "services: [3]\n", "1:12 `the entry` must be a group of fields; it is 3."),
        ("plans/restart.yaml", "- a\n", "1:1 `the entry` must be a group of fields; it is ['a']."),
        ("plans/capacity.yaml", "pool: []\n", "1:1 There is no `pool` in this file; did you mean `pools`?"),
    ],
)
def test_a_file_of_another_shape_says_what_it_must_hold(tmp_path: Path, file: str, text: str, sentence: str) -> None:
    small = SmallEstate(tmp_path)
    (small.path / file).write_text(text)
    assert f"{file}:{sentence}" in said(small)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("lis-1,north,NDC", "LIS 1,north,NDC", "Host `LIS 1`: `id` must be an id: at most 63 small letters"),
        ("lis-1,north,NDC", "lis-1,,NDC", "Host `lis-1`: The field `site` is missing."),
        (",lis,server,", ",lis,,", "Host `lis-1`: The field `class` is missing."),
        (",lis,server,", ",lis LIS,server,", "Host `lis-1`: `services.1` must be an id"),
        ("10.10.201.5", "10.10.201", "Host `lis-1`: `management` must be an IPv4 address such as 10.1.2.3"),
    ],
)
def test_a_bad_row_is_left_out_and_blocks_only_its_host(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/servers.csv", old, new)
    found = small.loaded()
    assert [(one.file, one.line, one.column) for one in found] == [("inventory/servers.csv", 7, None)]
    assert found[0].message.startswith(sentence)
    assert found[0].hosts == (re.sub(",.*", "", new) if new.startswith("LIS") else "lis-1",)


def test_a_bad_row_far_down_a_long_list_is_told_at_its_own_line_and_the_others_are_read(tmp_path: Path) -> None:
    small, list_file = SmallEstate(tmp_path), "inventory/workstations.csv"
    row = "far-{0},north,N1,laboratory,workstation,10.10.{1}.{2},10.11.{1}.{2},north,,\n"
    small.append(
        list_file, "".join(row.format(number, number // 250, number % 250) for number in range(2 * ROWS_AT_ONCE))
    )
    number = ROWS_AT_ONCE + 500
    small.edit(list_file, f"far-{number},north", f"far-{number},No Site")
    content, (found,), _ = load(small.path)
    assert (found.line, found.hosts) == (small.line_of(list_file, f"far-{number},"), (f"far-{number}",))
    assert content is not None
    hosts = [host for host in content.inventory.hosts if host.id.startswith("far-")]
    assert [host.id for host in hosts] == [f"far-{each}" for each in range(2 * ROWS_AT_ONCE) if each != number]


def test_hosts_given_the_same_fields_hold_one_set_of_their_names_and_a_copy_changes_no_other(tmp_path: Path) -> None:
    content, _, _ = load(SmallEstate(tmp_path).path)
    assert content is not None
    one, other = (host for host in content.inventory.hosts if host.id in ("lab-n-1", "lab-n-2"))
    assert one.model_fields_set is other.model_fields_set
    copied = one.model_copy(update={"services": ("lis",)})
    assert "services" in copied.model_fields_set
    assert "services" not in other.model_fields_set


def test_a_row_without_an_id_concerns_the_whole_estate(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit("inventory/servers.csv", "lis-1,north,NDC", ",north,NDC")
    assert [(one.message, one.hosts) for one in small.loaded()] == [("The field `id` is missing.", ())]


@pytest.mark.parametrize(
    ("file", "old", "new", "earlier"),
    [
        ("inventory/servers.csv", "pacs-1,", "lis-1,", "inventory/servers.csv line 7"),
        ("inventory/workstations.csv", "lab-n-2,", "lis-1,", "inventory/servers.csv line 7"),
        ("inventory/workstations.csv", "lab-n-2,", "north,", "inventory/sites.yaml line 3"),
        ("inventory/devices.csv", "ct-1,", "lis-1,", "inventory/servers.csv line 7"),
        (SERVICES, "- id: pacs", "- id: lis", "inventory/services.yaml line 30"),
        ("checks/radiology.yaml", "pacs-finds-a-study", "lis-reads-an-order", "checks/laboratory.yaml line 3"),
        ("plans/roster.yaml", "id: operator-2", "id: operator-1", "plans/roster.yaml line 3"),
    ],
)
def test_an_id_stands_once_over_hosts_sites_and_devices_and_once_per_other_kind(
    tmp_path: Path, file: str, old: str, new: str, earlier: str
) -> None:
    small = SmallEstate(tmp_path)
    line = small.line_of(file, old)
    small.edit(file, old, new)
    found = [one for one in small.loaded() if "stands already" in one.message]
    assert [(one.file, one.line) for one in found] == [(file, line)]
    assert f"stands already at {earlier}" in found[0].message


def test_the_same_word_may_name_a_function_a_service_and_a_class(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    small.edit(SERVICES, "- id: pacs", "- id: radiology")
    small.edit("plans/classes.yaml", "- id: workstation", "- id: radiology")
    assert small.loaded() == []
