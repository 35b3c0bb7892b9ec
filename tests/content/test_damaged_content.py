"""Whatever happens to a content file, reading and reviewing it ends in sentences, or what happened is proven harmless.

Never asks which sentence: the tests of the readers and of the review do.
"""

from __future__ import annotations

import random
import shutil
import string
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.interfaces.reviewing import reviewed
from orchestrator.inventory.sources import blocks_everything, content_files
from orchestrator.plans.lay_down import reference_estate
from orchestrator.plans.model import Content
from orchestrator.plans.needs import left_off
from orchestrator.plans.review import Examination, examine
from orchestrator.plans.review_references import references
from tests.small_estate import SMALL

READ = list(content_files(SMALL))
SEEDS_SMALL = range(150)
SEEDS_REFERENCE = range(24)
SEEDS_PLAYED = range(1000, 1040)

Damage = Callable[[random.Random, str], str]


def lose_a_line(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    lines.pop(chance.randrange(len(lines)))
    return "".join(lines)


def repeat_a_line(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    return "".join([*lines[:at], lines[at], *lines[at:]])


def swap_two_lines(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "".join(lines)


def mistype_a_letter(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text))
    return text[:at] + chance.choice(string.printable) + text[at + 1 :]


def lose_the_end(chance: random.Random, text: str) -> str:
    return text[: chance.randrange(len(text))]


def put_one_word_for_another(chance: random.Random, text: str) -> str:
    words = text.split()
    return text.replace(chance.choice(words), chance.choice(words), 1)


def shift_a_line(chance: random.Random, text: str) -> str:
    lines = text.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    lines[at] = chance.choice(["  ", " ", "\t"]) + lines[at]
    return "".join(lines)


DAMAGES: list[Damage] = [
    lose_a_line, repeat_a_line, swap_two_lines, mistype_a_letter, lose_the_end, put_one_word_for_another, shift_a_line,
]  # fmt: skip


@pytest.fixture(scope="module")
def small_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(SMALL, tmp_path_factory.mktemp("damaged") / "small"))


@pytest.fixture(scope="module")
def reference_copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged") / "reference"
    for name in ("inventory", "plans", "checks"):
        shutil.copytree(reference_estate() / name, folder / name)
    return folder


def examined_with(estate: Path, file: str, data: bytes, look: Callable[[Path], Examination] = examine) -> Examination:
    """What examining finds while one file holds other bytes; the file is put back."""
    path = estate / file
    before = path.read_bytes()
    path.write_bytes(data)
    try:
        return look(estate)
    finally:
        path.write_bytes(before)


def is_a_sentence(found: Examination) -> bool:
    return all(
        one.message[:1].isprintable() and one.message.rstrip().endswith((".", "?")) and one.line >= 1
        for one in found.findings
    )


def is_harmless(found: Examination) -> bool:
    """Content without an error has a plan that releases every host once, and no name in it leads nowhere."""
    if found.content is None or found.plan is None:
        return False
    waves = [host for wave in found.plan.waves for host in wave.hosts]
    hosts = {host.id for host in found.content.inventory.hosts}
    known = ids(found.content)
    return (
        len(waves) == len(set(waves))
        and set(waves) == hosts - left_off(found.content)
        and all(one.target in known for one in references(found.content))
        and Content.model_validate(found.content.model_dump(by_alias=True)) == found.content
    )


def ids(content: Content) -> set[str]:
    inventory = content.inventory
    holders = (*inventory.services, *content.classes)
    entries = (
        *inventory.sites, *inventory.functions, *inventory.interfaces, *inventory.hosts, *holders, *content.checks,
        *content.capacity.pools, *content.roster.persons,
    )  # fmt: skip
    return {each.id for each in entries} | {task.id for holder in holders for task in holder.tasks}


def damaged(estate: Path, seed: int, look: Callable[[Path], Examination] = examine) -> tuple[str, str, Examination]:
    chance = random.Random(seed)
    files = [name for name in content_files(estate) if (estate / name).stat().st_size]
    file, damage = chance.choice(files), chance.choice(DAMAGES)
    text = damage(chance, (estate / file).read_text(encoding="utf-8"))
    return file, damage.__name__, examined_with(estate, file, text.encode(), look)


def judge(estate: Path, seed: int) -> None:
    file, damage, found = damaged(estate, seed)
    told = f"seed {seed}: {damage} in {file}: {[str(one) for one in found.findings]}"
    assert is_a_sentence(found), told
    errors = [one for one in found.findings if one.severity == "error"]
    assert errors or is_harmless(found), told


@pytest.mark.parametrize("seed", SEEDS_SMALL)
def test_a_slip_of_the_keyboard_gives_a_sentence_or_changes_nothing_that_matters(small_copy: Path, seed: int) -> None:
    judge(small_copy, seed)


@pytest.mark.parametrize("seed", SEEDS_REFERENCE)
def test_a_slip_in_the_worked_reference_does_too(reference_copy: Path, seed: int) -> None:
    judge(reference_copy, seed)


@pytest.mark.parametrize("seed", SEEDS_PLAYED)
def test_what_a_slip_leaves_is_played_through_or_told(small_copy: Path, seed: int) -> None:
    file, damage, found = damaged(small_copy, seed, reviewed)
    told = f"seed {seed}: {damage} in {file}: {[str(one) for one in found.findings]}"
    assert is_a_sentence(found), told
    assert (found.content is None) == bool(blocks_everything(found.findings)), told


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(file=st.sampled_from(READ), data=st.binary(max_size=300))
def test_any_bytes_in_any_file_are_survived(small_copy: Path, file: str, data: bytes) -> None:
    assert is_a_sentence(examined_with(small_copy, file, data))


WORDS = st.sampled_from(
    ["id", "name", "needs", "restore", "services", "checks", "class", "north", "lis", "restart", "posts", "", "é", "-"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WORDS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), file=st.sampled_from([name for name in READ if name.endswith(".yaml")]))
def test_any_value_in_the_place_of_any_other_is_survived(small_copy: Path, file: str, data: st.DataObject) -> None:
    document = yaml.safe_load((SMALL / file).read_text(encoding="utf-8"))
    place = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
    assert is_a_sentence(examined_with(small_copy, file, text.encode()))
