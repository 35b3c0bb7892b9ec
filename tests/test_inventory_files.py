"""The eight files of inventory/ become what exists; what cannot be read is said, and the rest is still read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from orchestrator.canonical import encode
from orchestrator.inventory.files import read_inventory
from orchestrator.inventory.model import Host, Inventory
from orchestrator.inventory.sources import Sources
from tests.small_estate import SMALL, SmallEstate


def read(path: Path) -> tuple[Inventory, list[str]]:
    sources = Sources(path)
    return read_inventory(sources), [f"{one.file} {one.message}" for one in sources.findings]


def test_the_small_estate_is_read_whole() -> None:
    inventory, said = read(SMALL)
    assert said == []
    assert len(inventory.hosts) == 12
    assert {kind: len(getattr(inventory, kind)) for kind in Inventory.model_fields if kind != "hosts"} == {
        "sites": 2, "functions": 3, "activities": 2, "services": 9, "interfaces": 1, "devices": 2,
    }  # fmt: skip
    assert inventory == Inventory.model_validate(inventory.model_dump())


def test_a_server_plays_services_and_a_workstation_serves_a_function() -> None:
    inventory, _ = read(SMALL)
    hosts = {host.id: host for host in inventory.hosts}
    assert hosts["dc-1"] == Host(
        id="dc-1", kind="server", site="north", room="NDC", services=("ad", "dns"), klass="directory-server",
        address="10.10.1.3", management="10.10.201.3", mac="02:00:00:00:01:03", serial="NS0003",
    )  # fmt: skip
    assert (hosts["lab-n-1"].kind, hosts["lab-n-1"].function, hosts["lab-n-1"].bench) == (
        "workstation", "laboratory", "north",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["sites", "functions", "activities", "services", "interfaces"])
def test_every_yaml_file_may_be_json(tmp_path: Path, name: str) -> None:
    small = SmallEstate(tmp_path)
    before, _ = read(small.path)
    path = small.path / "inventory" / f"{name}.yaml"
    path.with_suffix(".json").write_bytes(encode(yaml.safe_load(path.read_text(encoding="utf-8"))))
    path.unlink()
    assert read(small.path) == (before, [])


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("sites.yaml", ["inventory/sites.yaml This file is missing."]),
        ("functions.yaml", ["inventory/functions.yaml This file is missing."]),
        ("services.yaml", ["inventory/services.yaml This file is missing."]),
        ("activities.yaml", []),
        ("interfaces.yaml", []),
        ("devices.csv", []),
        ("servers.csv", []),
        ("workstations.csv", []),
    ],
)
def test_a_hospital_may_have_no_devices_yet_but_it_has_sites_functions_and_services(
    tmp_path: Path, file: str, said: list[str]
) -> None:
    small = SmallEstate(tmp_path)
    (small.path / "inventory" / file).unlink()
    assert read(small.path)[1] == said


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("servers.yaml", "; did you mean `"),
        ("service.yaml", "; did you mean `services.yaml`?"),
        ("sites.yml", "; did you mean `sites.yaml`?"),
        ("workstation.csv", "; did you mean `workstations.csv`?"),
    ],
)
def test_a_file_nothing_reads_is_probably_a_typing_error(tmp_path: Path, name: str, hint: str) -> None:
    small = SmallEstate(tmp_path)
    small.append(f"inventory/{name}", "")
    assert [said for said in read(small.path)[1] if hint in said and "Nothing reads this file" in said]


def test_notes_and_schemas_beside_the_content_disturb_nobody(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    for name in ("README.md", "notes.txt", "schema/sites.json", ".sites.yaml.swp"):
        small.append(f"inventory/{name}", "anything")
    assert read(small.path)[1] == []


def test_two_broken_files_do_not_hide_the_others(tmp_path: Path) -> None:
    small = SmallEstate(tmp_path)
    (small.path / "inventory" / "sites.yaml").write_text("a: [")
    (small.path / "inventory" / "servers.csv").write_text("nonsense")
    inventory, said = read(small.path)
    assert len(said) == 1 + 7  # one for the YAML, one for each column
    assert len(inventory.services) == 9
    assert [host.id for host in inventory.hosts] == ["lab-n-1", "lab-n-2", "rad-n-1", "rec-s-1"]
