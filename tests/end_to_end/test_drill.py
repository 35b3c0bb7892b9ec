"""A whole restart of twelve real hosts, undisturbed and with every part of it killed, side by side on one machine."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest

from orchestrator.interfaces.auditing import audit
from orchestrator.journal.sqlite import Journal
from orchestrator.plans.model import Role
from orchestrator.practice.rehearsal import PEOPLE
from tests.drill_ground import DrillProcess, shallow_estate, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SEED = 11
# All but hang and silent-service, which add a minute of waiting and nothing that a kill could disturb.
STORY = "infected-after-release,disagreement,revoked-key,new-indicators"  # what analysts work through
FAULTS = "refuse,slow,drop,wrong-key,fails-once,fails-always,still-infected,lazy-technician"
PLANTED = "planted-7f3a9c"
EXPECTED = {
    "hosts", "in_service", "excluded", "failed", "waves", "functions", "started_twice", "released_early", "lost",
    "violations", "records", "root", "cpu_s", "wall_s", "frozen", "analysts",
}  # fmt: skip


class Lookout:
    """Notes every command line of the machine while drills run, as `ps` would show them to anyone."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Lookout:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for name in os.listdir("/proc"):
                with suppress(OSError):
                    if name.isdecimal():
                        self.seen.add(Path("/proc", name, "cmdline").read_bytes())


def plant(root: Path) -> None:
    secrets = root / "state" / "secrets"
    wait_until(secrets.is_dir)
    (secrets / "vendor-password").write_text(f"{PLANTED}-file\n")


def kill_and_resume(drill: DrillProcess, part: str, after_s: float) -> None:
    """Kills one part some time after the drill got going, and goes on with it."""
    wait_until(drill.under_way, 120)
    time.sleep(after_s)
    drill.kill(part)
    code, out, said = drill.end()
    if part == "drill":
        assert code == -9
    else:
        assert code == 7, said
        sentence = json.loads(out)["error"]["sentence"]
        assert f"The {part} ended" in sentence
        assert f"relance drill --resume {drill.root}" in sentence
    drill.resume()


@pytest.fixture(scope="module")
def drills(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DrillProcess, DrillProcess, Lookout]]:
    """The undisturbed drill runs beside the disturbed one; the module waits for it at the end."""
    folder = tmp_path_factory.mktemp("drills")
    estate = shallow_estate(folder)
    env = {"RELANCE_TEST_TOKEN": f"{PLANTED}-env"}
    plain = DrillProcess(folder / "plain", "--hosts", "12", "--faults", STORY, "--seed", "4", estate=estate, env=env)
    killed = DrillProcess(
        folder / "killed", "--hosts", "12", "--faults", FAULTS, "--seed", "5", estate=estate,
        env=env,
    )  # fmt: skip
    with Lookout() as lookout:
        try:
            for one in (plain, killed):
                plant(one.root)
            yield plain, killed, lookout
        finally:
            for one in (plain, killed):
                one.stop()


def test_a_drill_whose_every_part_is_killed_once_loses_nothing_and_does_nothing_twice(
    drills: tuple[DrillProcess, DrillProcess, Lookout],
) -> None:
    drill = drills[1]
    dice = random.Random(SEED)
    for part in dice.sample(("engine", "people", "fleet", "drill"), 4):
        kill_and_resume(drill, part, dice.uniform(0.5, 4))
    code, out, said = drill.end()
    document = json.loads(out)
    assert code == 0, said
    assert set(document) == EXPECTED
    assert (document["started_twice"], document["released_early"], document["violations"]) == (0, 0, [])
    assert document["in_service"] == document["hosts"] == 12
    assert audit(drill.root / "state")["violations"] == []


def test_an_undisturbed_drill_ends_with_everything_in_service_whatever_its_analysts_go_through(
    drills: tuple[DrillProcess, DrillProcess, Lookout],
) -> None:
    drill = drills[0]
    code, out, said = drill.end()
    document = json.loads(out)
    assert code == 0, said
    assert document["in_service"] == document["hosts"] == 12
    assert (document["started_twice"], document["released_early"], document["lost"]) == (0, 0, 0)
    assert all(wave["gate"] == "passed" for wave in document["waves"])
    assert document["functions"]["laboratory"]["back_s"] >= document["waves"][0]["passed_s"]
    assert "addresses: every host" in said, "what a drill replaces is said"
    counts = document["analysts"]
    assert counts["disagreements"] >= 1
    assert (counts["keys_revoked"], counts["sets_in_force"]) == (1, 1)
    assert counts["judged_again"] + counts["owed_inspection"] >= 1
    assert (counts["rematched_hit"], counts["not_rematched"]) == (2, 0)
    assert 1 <= counts["rematched_hit_out"] < counts["rematched_no_hit"]
    assert counts["recalls"] >= 2, "the post found infected, and the one with a hit that was out"


def test_what_the_journal_of_a_drill_says_stands_up_to_an_audit(
    drills: tuple[DrillProcess, DrillProcess, Lookout],
) -> None:
    found = audit(drills[0].root / "state")
    assert (found["violations"], found["open"]) == ([], 0)
    assert found["issued"] == found["finished"] + found["cancelled"] + found["lost"]


def test_everyone_of_a_drill_has_signed_from_the_crisis_cell_to_the_forensic_lead(
    drills: tuple[DrillProcess, DrillProcess, Lookout],
) -> None:
    with Journal.open(drills[0].root / "state" / "journal.sqlite", read_only=True) as journal:
        signed = [record.body for record in journal.records() if record.kind in ("ordered", "judged")]
    assert {role for one in signed for role in PEOPLE[one["person"]]} == set(get_args(Role))
    kinds = {one["kind"] for one in signed if "kind" in one}
    assert {"genesis", "fact.t0", "fact.waiver", "fact.breach_closed", "fact.accepted", "task.done"} <= kinds


def test_no_secret_stands_in_a_journal_an_artifact_a_reading_a_log_or_a_command_line(
    drills: tuple[DrillProcess, DrillProcess, Lookout],
) -> None:
    plain, killed, lookout = drills
    for drill in (plain, killed):
        keys = [drill.root / "state" / "secrets" / "ssh_key", *(drill.root / "keys").iterdir()]
        # A private key in OpenSSH's format: its first lines are alike for all, the fourth holds the secret.
        secrets = [key.read_bytes().splitlines()[3] for key in keys if not key.name.endswith(".pub")]
        secrets += [PLANTED.encode()]
        assert len(secrets) > 10
        kept = ("secrets", "keys")
        files = [path for path in drill.root.rglob("*") if path.is_file() and not set(path.parts) & set(kept)]
        assert {"journal.sqlite", "request.json", "results.jsonl"} <= {path.name for path in files}
        for path in files:
            text = path.read_bytes()
            assert not [secret for secret in secrets if secret in text], path
        assert not [line for line in lookout.seen for secret in secrets if secret in line]
    assert any(b"orchestrator.workers.runner" in line for line in lookout.seen)
