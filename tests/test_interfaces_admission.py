"""What a signature is worth: the right person, the right bytes, the right incident, what they saw, once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.decision.events import Ordered
from orchestrator.errors import Conflict, NeedsAnother, Refused, RelanceError, UsageError
from orchestrator.evidence.document import Evidence
from orchestrator.interfaces.admission import admit_order, admit_verdict, document_in, order_text
from orchestrator.journal import anchor
from orchestrator.trust.signature import sign, verify
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE, Order, Subject
from tests.estates import key_of, person
from tests.live_hospital import INCIDENT, Hospital, evidence_of, hospital, roster


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Hospital]:
    with hospital(tmp_path / "state") as found:
        yield found


@pytest.fixture
def here(empty: Hospital) -> Hospital:
    empty.open_incident()
    return empty


@pytest.fixture
def inspected(here: Hospital) -> Hospital:
    here.quarantined("foundations")
    return here


def refused(here: Hospital, text: bytes, who: str, signature: str) -> RelanceError:
    """The error of an order that must change nothing."""
    before = here.engine.head()
    with pytest.raises(RelanceError) as caught:
        admit_order(here.engine, text, who, signature)
    assert here.engine.head() == before, "a refusal leaves no record"
    return caught.value


def signed(text: bytes, who: str, namespace: str = ORDER_NAMESPACE) -> str:
    return sign(key_of(who), namespace, text)


def changed(text: bytes, **fields: Any) -> bytes:
    """The same order with other fields, well formed again."""
    order = Order.from_bytes(text)
    values = {name: getattr(order, name) for name in Order.__slots__}
    return Order(**{**values, **fields}).to_bytes()


def test_the_roster_is_signed_by_two_of_its_own_persons_and_then_counts(empty: Hospital) -> None:
    text = empty.text("genesis", "roster", **roster())
    with pytest.raises(NeedsAnother) as caught:
        empty.sign(text, "operator-1")
    assert caught.value.exit_code == 4
    assert caught.value.facts["order"] == Order.from_bytes(text).id
    assert caught.value.facts["missing_roles"]
    taken = empty.sign(text, "it-director")
    assert taken["kind"] == "genesis"
    assert "ordered" in taken["records"]
    assert empty.engine.read(lambda state, now_us: len(state.roster)) == 9
    assert anchor.read(empty.engine.state_dir) == anchor.digest_of(text)


def test_a_genesis_beside_the_one_in_force_leaves_its_anchor_alone(empty: Hospital) -> None:
    abandoned, text = (empty.text("genesis", "roster", **roster()) for _ in range(2))
    with pytest.raises(NeedsAnother):
        empty.sign(abandoned, "operator-1")
    empty.order("genesis", "roster", "operator-1", "it-director", **roster())
    stands = anchor.read(empty.engine.state_dir)
    assert stands != anchor.digest_of(abandoned)
    assert refused(empty, text, "operator-1", signed(text, "operator-1")).exit_code in (3, 5)
    assert anchor.read(empty.engine.state_dir) == stands


def test_a_genesis_without_persons_is_refused(empty: Hospital) -> None:
    text = empty.text("genesis", "roster", persons="everyone")
    assert refused(empty, text, "operator-1", signed(text, "operator-1")).rule == "orders.genesis"


def test_before_the_genesis_nobody_may_order_anything(empty: Hospital) -> None:
    text = empty.text("freeze", "all")
    assert refused(empty, text, "operator-1", signed(text, "operator-1")).rule == "roster.person"


def test_an_order_of_one_person_takes_effect_at_once_and_says_what_followed(here: Hospital) -> None:
    taken = here.order("wave.launch", "foundations", "operator-1")
    assert taken is not None
    assert (taken["kind"], taken["subject"]) == ("wave.launch", "foundations")
    assert taken["records"][0] == "ordered"


def test_an_old_head_counts_while_nobody_touched_the_subject(here: Hospital) -> None:
    text = here.text("freeze", "all")
    here.order("wave.launch", "foundations", "operator-1")
    assert here.sign(text, "operator-1")["kind"] == "freeze"


def test_a_subject_that_changed_after_what_the_signer_saw_is_a_conflict_naming_the_record(here: Hospital) -> None:
    text = here.text("wave.hold", "foundations")
    here.order("wave.launch", "foundations", "operator-1")
    error = refused(here, text, "operator-2", signed(text, "operator-2"))
    assert isinstance(error, Conflict)
    assert error.exit_code == 5
    assert error.facts["records"]


def test_a_role_that_may_not_order_it_is_refused_with_the_roles_that_may(here: Hospital) -> None:
    text = here.text("wave.launch", "foundations")
    error = refused(here, text, "technician-1", signed(text, "technician-1"))
    assert error.rule == "orders.role"
    assert "operator" in error.sentence


def test_the_bytes_and_the_signature_are_kept_and_can_be_verified_again(here: Hospital) -> None:
    text = here.text("fact.outside", "lis")
    text = changed(text, subject="reference-lab")
    with pytest.raises(NeedsAnother):
        here.sign(text, "operator-1")
    order = Order.from_bytes(text).id
    blob = here.engine.read(lambda state, now_us: state.orders[order].blob)
    kept = json.loads(here.engine.blobs.get(blob))
    assert document_in(here.engine.blobs.get(blob)).encode() == text
    verify(kept["signature"], ORDER_NAMESPACE, kept["document"].encode(), person("operator-1", "operator").key)


def test_the_second_person_gets_the_exact_text_and_completes_the_order(here: Hospital) -> None:
    text = here.text("host.exclude", "lis-2")
    with pytest.raises(NeedsAnother, match="waits for another person"):
        here.sign(text, "operator-1")
    order = Order.from_bytes(text).id
    assert order_text(here.engine, order) == {"order": order, "document": text.decode()}
    assert here.sign(text, "it-director")["kind"] == "host.exclude"
    with pytest.raises(UsageError):
        order_text(here.engine, order)


def test_an_order_recorded_by_others_without_bytes_still_takes_a_second_signature(here: Hospital) -> None:
    text = here.text("host.exclude", "lis-2")
    order = Order.from_bytes(text)
    here.engine.submit(
        Ordered(order.id, order.kind, order.subject, {}, "operator-1", order.expires_us, order.head.size, "")
    )
    assert here.sign(text, "it-director")["id"] == order.id


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"a":1.5}', b"\xff", b"{" * 5000])
def test_bytes_that_are_no_order_are_refused_in_a_sentence(here: Hospital, text: bytes) -> None:
    error = refused(here, text, "operator-1", signed(text, "operator-1"))
    assert error.exit_code == 3
    assert error.sentence


def test_a_verdict_is_filed_with_the_evidence_it_judged(inspected: Hospital) -> None:
    taken = inspected.judge("CLEAN", "analyst-1", "ad-1")
    assert (taken["kind"], taken["subject"]) == ("verdict.clean", "ad-1")
    kept = inspected.engine.blobs.get(taken["id"])
    assert "ad-1/inspect/1" in document_in(kept)


def test_a_verdict_that_names_the_image_the_host_was_restored_from_is_filed(empty: Hospital) -> None:
    empty.hands.image = "ab" * 32
    empty.open_incident()
    empty.quarantined("foundations")
    named = (Subject("ad-1", "ad-1/inspect/1", evidence_of("ad-1/inspect/1"), "ab" * 32),)
    text = empty.statement("CLEAN", "analyst-1", "ad-1", subjects=named)
    taken = admit_verdict(empty.engine, text, "analyst-1", signed(text, "analyst-1", VERDICT_NAMESPACE))
    assert taken["subject"] == "ad-1"


def test_several_hosts_are_called_clean_at_once_only_by_the_image_they_were_made_from(inspected: Hospital) -> None:
    with pytest.raises(Refused) as caught:
        inspected.judge("CLEAN", "analyst-1", "ad-1", "ad-2")
    assert caught.value.rule == "verdict.image"
    assert inspected.judge("SUSPECT", "analyst-1", "ad-1", "ad-2")["subject"] == "ad-1, ad-2"


def test_a_refusal_is_a_refusal_whoever_asks(here: Hospital) -> None:
    text = here.text("wave.launch", "laboratory/slice")
    error = refused(here, text, "operator-1", signed(text, "operator-1"))
    assert isinstance(error, Refused)
    assert error.rule == "waves.after"
    assert here.engine.incident == INCIDENT


def test_an_import_says_of_its_evidence_what_the_evidence_says_of_itself(here: Hospital) -> None:
    file = here.engine.blobs.put(b"report")
    source = {"name": "report", "format": "log", "sha256": file}
    kept = here.engine.blobs.put(Evidence("import", "ad-1", taken="host", tool="ClamAV", source=source).to_bytes())
    good: dict[str, Any] = {"tool": "ClamAV", "taken": "host", "hosts": {"ad-1": kept}}
    for wrong in ({"tool": "THOR"}, {"taken": "offline"}, {"hosts": {"ad-2": kept}}):
        text = here.text("evidence.import", file, **{**good, **wrong})
        assert refused(here, text, "analyst-1", signed(text, "analyst-1")).rule == "evidence.other"
    for subject, hosts in ((file, {"ad-1": "0" * 64}), ("0" * 64, {"ad-1": kept})):
        text = here.text("evidence.import", subject, **{**good, "hosts": hosts})
        assert "is missing" in refused(here, text, "analyst-1", signed(text, "analyst-1")).sentence
    text = here.text("evidence.import", file, hosts=["ad-1"])
    assert refused(here, text, "analyst-1", signed(text, "analyst-1")).rule == "evidence.import"
    assert here.order("evidence.import", file, "analyst-1", **good) is not None
