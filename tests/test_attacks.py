"""Attacks on what people sign: each is refused for a reason of its own, end to end, and leaves no record."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from orchestrator.decision.events import Finished
from orchestrator.errors import NeedsAnother, RelanceError
from orchestrator.interfaces.admission import admit_order, admit_verdict
from orchestrator.trust.keys import SK_ED25519, PrivateKey, public_of
from orchestrator.trust.signature import ARMOUR_CHARS_MAX, BEGIN, END, sign
from orchestrator.trust.statement import (
    ORDER_BYTES_MAX,
    ORDER_NAMESPACE,
    STATEMENT_BYTES_MAX,
    VERDICT_NAMESPACE,
    Head,
    Order,
    Subject,
)
from tests.estates import key_of
from tests.live_hospital import HOUR_US, NOW, Hospital, evidence_of, hospital, roster
from tests.security_keys import PIN, TOUCH, SecurityKey, armoured, string, text_to_sign

TOKEN, TOKEN_WITH_PIN = SecurityKey(SK_ED25519, 21), SecurityKey(SK_ED25519, 22)
WEAK = rsa.generate_private_key(65537, 2048)
ED25519 = b"ssh-ed25519"


class Attempt(NamedTuple):
    """What arrives at the socket."""

    text: bytes
    person: str
    signature: str
    verdict: bool = False


Attack = Callable[[Hospital], Attempt]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """The foundations stand inspected in quarantine; one person launched them who is an analyst too."""
    with hospital(tmp_path_factory.mktemp("attacked") / "state") as found:
        genesis = roster()
        genesis["persons"] += [
            {"id": "both-1", "roles": ["operator", "analyst"], "key": line_of("both-1")},
            {"id": "viewer-1", "roles": ["viewer"], "key": line_of("viewer-1")},
            {"id": "token-1", "roles": ["operator"], "key": TOKEN.line},
            {"id": "token-2", "roles": ["operator"], "key": f"verify-required {TOKEN_WITH_PIN.line}"},
            {"id": "gone-1", "roles": ["operator", "analyst"], "key": line_of("gone-1")},
            {"id": "early-1", "roles": ["operator"], "key": line_of("early-1"), "valid_from_us": 1 << 52},
            {"id": "late-1", "roles": ["operator"], "key": line_of("late-1"), "valid_until_us": 1},
        ]
        found.hands.hangs = {"isolate"}  # until a host that survived is declared, nobody has a hand on it
        found.order("genesis", "roster", "operator-1", "it-director", **genesis)
        survived = {"host_key": "ssh-ed25519 AAAA", "restore_point_us": 1}
        found.order("host.declare", "backup-1", "operator-1", "it-director", **survived)
        found.hands.hangs = set()
        for site in ("north", "south"):
            found.engine.submit(Finished(f"{site}/isolate/1", "ok"))
        found.order("fact.t0", "t0", "analyst-1", "it-director", at_us=NOW.now_us() - HOUR_US)
        found.order("roster.revoke", "gone-1", "operator-1", "it-director")
        found.quarantined("foundations", "both-1")
        found.judge("CLEAN", "analyst-1", "ad-1")
        yield found


def line_of(who: str) -> str:
    return public_of(key_of(who)).line


def signed(text: bytes, who: str, namespace: str = ORDER_NAMESPACE) -> str:
    return sign(key_of(who), namespace, text)


def order(who: str = "operator-1", kind: str = "freeze", subject: str = "all", **fields: Any) -> Attack:
    """An order by this person, properly signed; `fields` replace fields of the document before it is signed."""

    def attempt(here: Hospital) -> Attempt:
        text = changed(here.text(kind, subject), **fields)
        return Attempt(text, who, signed(text, who))

    return attempt


def changed(text: bytes, **fields: Any) -> bytes:
    """The same order with other fields, well formed again."""
    values = {name: getattr(Order.from_bytes(text), name) for name in Order.__slots__}
    return Order(**{**values, **fields}).to_bytes()


def verdict(who: str = "analyst-2", *hosts: str, by: str = "", **fields: Any) -> Attack:
    """A verdict on these hosts, properly signed; `fields` replace fields of the statement before it is signed."""

    def attempt(here: Hospital) -> Attempt:
        text = here.statement("CLEAN", who, *(hosts or ("ad-2",)), **fields)
        return Attempt(text, by or who, signed(text, by or who, VERDICT_NAMESPACE), verdict=True)

    return attempt


def rewritten(attack: Attack, *pairs: tuple[bytes, bytes]) -> Attack:
    """The document was changed after it was signed."""

    def attempt(here: Hospital) -> Attempt:
        genuine = attack(here)
        text = genuine.text
        for old, new in pairs:
            assert old in text
            text = text.replace(old, new, 1)
        return genuine._replace(text=text)

    return attempt


def resigned(attack: Attack, *pairs: tuple[bytes, bytes]) -> Attack:
    """The document was changed, and then properly signed by its person."""

    def attempt(here: Hospital) -> Attempt:
        found = rewritten(attack, *pairs)(here)
        namespace = VERDICT_NAMESPACE if found.verdict else ORDER_NAMESPACE
        return found._replace(signature=signed(found.text, found.person, namespace))

    return attempt


def bare(text: bytes, *, judged: bool = False) -> Attack:
    """Any bytes, properly signed."""
    who, namespace = ("analyst-2", VERDICT_NAMESPACE) if judged else ("operator-1", ORDER_NAMESPACE)
    return lambda here: Attempt(text, who, signed(text, who, namespace), judged)


def block(forge: Callable[[bytes, str], str]) -> Attack:
    """A genuine order of operator-1 under a signature block made from its text and its genuine signature."""

    def attempt(here: Hospital) -> Attempt:
        genuine = order()(here)
        return genuine._replace(signature=forge(genuine.text, genuine.signature))

    return attempt


def by(key: PrivateKey, text: Callable[[bytes], bytes] = lambda text: text, namespace: str = ORDER_NAMESPACE) -> Attack:
    """A signature by any key, of any text, for any namespace."""
    return block(lambda genuine, _: sign(key, namespace, text(genuine)))


def opened(block_: str) -> bytes:
    return base64.b64decode("".join(block_.split("\n")[1:-2]))


def blob(forge: Callable[[bytes], bytes]) -> Attack:
    """The genuine signature's bytes changed."""
    return block(lambda _, genuine: armoured(forge(opened(genuine))))


def forged(**parts: bytes) -> Attack:
    """A signature block put together by hand, by the right key, wrong in the part that is named."""

    def forge(text: bytes, _: str) -> str:
        key = key_of("operator-1")
        fields = {
            "start": b"SSHSIG\0\0\0\1",
            "key": public_of(key).blob,
            "namespace": ORDER_NAMESPACE.encode(),
            "reserved": b"",
            "hash": b"sha512",
            "inner": string(ED25519) + string(key.sign(text_to_sign(ORDER_NAMESPACE.encode(), text))),
            "tail": b"",
            **parts,
        }
        middle = (fields[name] for name in ("key", "namespace", "reserved", "hash", "inner"))
        return armoured(fields["start"] + b"".join(map(string, middle)) + fields["tail"])

    return block(forge)


def over(digest: Callable[[bytes], bytes]) -> Attack:
    """The right person signed a checksum of the order."""
    return by(key_of("operator-1"), digest)


def armour(forge: Callable[[str], str]) -> Attack:
    """The armour of the genuine signature changed."""
    return block(lambda _, genuine: forge(genuine))


def token(key: SecurityKey, who: str, **flags: int) -> Attack:
    """An order signed by a security key under these flags."""

    def attempt(here: Hospital) -> Attempt:
        text = here.text("freeze", "all")
        return Attempt(text, who, key.sign(ORDER_NAMESPACE, text, **flags))

    return attempt


def again(here: Hospital) -> Attempt:
    """An order that took effect, once more."""
    text = here.text("wave.hold", "laboratory/slice")
    here.sign(text, "operator-1")
    here.settle()
    return Attempt(text, "operator-1", signed(text, "operator-1"))


def twice(here: Hospital) -> Attempt:
    """The second signature under an order of two, by the first person."""
    text = half(here)
    return Attempt(text, "operator-1", signed(text, "operator-1"))


def other_bytes(here: Hospital) -> Attempt:
    """The second signature under an order of two is under other bytes."""
    text = changed(half(here), expires_us=NOW.now_us() + 2 * HOUR_US)
    return Attempt(text, "it-director", signed(text, "it-director"))


def second_seat(here: Hospital) -> Attempt:
    """The second signature comes from somebody whose role fills no seat that is left."""
    text = half(here)
    return Attempt(text, "technician-1", signed(text, "technician-1"))


def half(here: Hospital) -> bytes:
    """An order of two that one person signed."""
    text = here.text("host.exclude", "lis-2")
    with pytest.raises(NeedsAnother):
        here.sign(text, "operator-1")
    return text


def unseen(here: Hospital) -> Attempt:
    """An order about a wave that another order touched after what its signer saw."""
    text = here.text("wave.hold", "radiology/slice")
    here.order("wave.hold", "radiology/slice", "operator-2")
    return Attempt(text, "operator-1", signed(text, "operator-1"))


def future(here: Hospital) -> Attempt:
    """A head longer than the journal."""
    head = here.engine.head()
    return order(head=Head(head.size + 5, head.root.hex()))(here)


def newcomer(who: str = "new-1", **fields: Any) -> Attack:
    """Somebody is put into the roster."""
    return order(kind="roster.add", subject=who, args={"person": {"id": who, "roles": ["analyst"], **fields}})


def genesis(who: str, signer: str = "", **args: Any) -> Attack:
    """A roster of one's own."""

    def attempt(here: Hospital) -> Attempt:
        text = here.text("genesis", "roster", **{**roster(), **args})
        return Attempt(text, who, signed(text, signer or who))

    return attempt


def judged_by_launcher(here: Hospital) -> Attempt:
    """Who launched the wave alone finds its host clean."""
    return verdict("both-1", "ad-2")(here)


def subject(host: str = "ad-2", inspection: str = "", evidence: str = "", image: str = "") -> tuple[Subject, ...]:
    """A verdict's subject that names something else than what stands in the journal."""
    name = inspection or f"{host}/inspect/1"
    return (Subject(host, name, evidence or evidence_of(name), image),)


ADDED = b'{"annotations":{"image":""},"digest":{"sha256":"' + b"0" * 64 + b'"},"name":"ad-3"},'
INSPECTED = b'"inspections":{"ad-2":"ad-2/inspect/1"}'

TABLE: list[tuple[str, Attack, str]] = [
    # Whose signature, for what, over what.
    ("another person's key", block(lambda text, _: signed(text, "operator-2")), "signature.key"),
    ("a second key of the same person", by(key_of("operator-1, second key")), "signature.key"),
    ("a key of another kind", by(ec.derive_private_key(5, ec.SECP256R1())), "signature.key"),
    ("a weak key of the same person", by(WEAK), "signature.key"),
    ("a verdict's namespace", by(key_of("operator-1"), namespace=VERDICT_NAMESPACE), "signature.namespace"),
    ("a longer namespace", by(key_of("operator-1"), namespace=ORDER_NAMESPACE + "x"), "signature.namespace"),
    ("git's namespace", by(key_of("operator-1"), namespace="git"), "signature.namespace"),
    ("an order's namespace under a verdict", lambda here: _under(here, ORDER_NAMESPACE), "signature.namespace"),
    ("over the sha512", over(lambda text: hashlib.sha512(text).digest()), "signature.over-hash"),
    ("over the sha256 in hex", over(lambda text: hashlib.sha256(text).hexdigest().encode()), "signature.over-hash"),
    (
        "over sha256sum's line",
        over(lambda text: hashlib.sha256(text).hexdigest().encode() + b"\n"),
        "signature.over-hash",
    ),
    (
        "over the bare text",
        forged(inner=string(ED25519) + string(key_of("operator-1").sign(b"{}"))),
        "signature.mismatch",
    ),
    ("over another order", by(key_of("operator-1"), lambda text: text + b" "), "signature.mismatch"),
    # The signature block.
    ("one bit changed", blob(lambda found: found[:-1] + bytes([found[-1] ^ 1])), "signature.mismatch"),
    ("its key exchanged", forged(key=public_of(key_of("intruder")).blob), "signature.key"),
    ("hash name exchanged", forged(hash=b"sha256"), "signature.mismatch"),
    ("weak hash", forged(hash=b"sha1"), "signature.hash"),
    ("no hash", forged(hash=b""), "signature.hash"),
    ("reserved field filled", forged(reserved=b"critical"), "signature.reserved"),
    ("next version", forged(start=b"SSHSIG\0\0\0\2"), "signature.version"),
    ("other preamble", forged(start=b"SSHCRT\0\0\0\1"), "signature.preamble"),
    ("bytes after the block", forged(tail=b"\0"), "signature.trailing"),
    ("bytes after the signature", forged(inner=string(ED25519) + string(bytes(64)) + b"\0"), "signature.trailing"),
    ("algorithm of another key", forged(inner=string(b"ssh-rsa") + string(b"\1" * 64)), "signature.algorithm"),
    ("unprintable algorithm", forged(inner=string(b"\x1b[2J") + string(b"")), "signature.algorithm"),
    ("short signature", forged(inner=string(ED25519) + string(b"\1" * 63)), "signature.mismatch"),
    ("empty signature", forged(inner=b""), "signature.truncated"),
    ("cut by a byte", blob(lambda found: found[:-1]), "signature.truncated"),
    ("cut in the preamble", blob(lambda found: b"SSH"), "signature.truncated"),
    ("a length beyond the end", blob(lambda found: b"SSHSIG\0\0\0\1\xff\xff\xff\xff"), "signature.truncated"),
    ("nothing", armour(lambda genuine: ""), "signature.armour"),
    ("an empty block", armour(lambda genuine: f"{BEGIN}\n{END}\n"), "signature.armour"),
    ("no end line", armour(lambda genuine: genuine.removesuffix(END + "\n")), "signature.armour"),
    ("text before", armour(lambda genuine: "see below\n" + genuine), "signature.armour"),
    ("text after", armour(lambda genuine: genuine + "\nkind regards"), "signature.armour"),
    ("two blocks", armour(lambda genuine: genuine + genuine), "signature.base64"),
    ("line ends of another system", armour(lambda genuine: genuine.replace("\n", "\r\n")), "signature.armour"),
    ("spaces inside", armour(lambda genuine: genuine.replace("U1NI", "U1 NI", 1)), "signature.base64"),
    ("look-alike letters", armour(lambda genuine: genuine.replace("U1NI", "U1NІ", 1)), "signature.base64"),
    ("a character too many", armour(lambda genuine: genuine.replace(f"\n{END}", f"A\n{END}")), "signature.base64"),
    ("a huge signature", armour(lambda genuine: genuine + "A" * ARMOUR_CHARS_MAX), "signature.signature-size"),
    # Security keys.
    ("a security key nobody touched", token(TOKEN, "token-1", flags=0), "signature.touch"),
    ("a PIN, and nobody touched the key", token(TOKEN, "token-1", flags=PIN), "signature.touch"),
    ("no PIN where the roster requires it", token(TOKEN_WITH_PIN, "token-2", flags=TOUCH), "signature.pin"),
    ("a touch written in afterwards", token(TOKEN, "token-1", flags=0, said=TOUCH), "signature.mismatch"),
    ("another security key", token(TOKEN_WITH_PIN, "token-1"), "signature.key"),
    # The text.
    ("one bit of the text changed", rewritten(order(), (b'"subject":"all"', b'"subject":"alm"')), "signature.mismatch"),
    ("another subject", rewritten(order(), (b'"subject":"all"', b'"subject":"site:north"')), "signature.mismatch"),
    ("a truncated text", rewritten(order(), (b'"version":1}', b"")), "canonical.json"),
    ("a duplicate key", resigned(order(), (b'{"args"', b'{"args":{},"args"')), "canonical.duplicate"),
    ("keys in another order", resigned(order(), (b'{"args":{},', b"{"), (b"}", b'},"args":{}')), "statement.form"),
    ("spaces between", resigned(order(), (b'"args":{}', b'"args": {}')), "statement.form"),
    ("an unknown field", resigned(order(), (b'{"args"', b'{"aaaa":1,"args"')), "statement.keys"),
    ("another version", resigned(order(), (b'"version":1', b'"version":2')), "statement.version"),
    (
        "a look-alike letter",
        resigned(order(), (b'"subject":"all"', '"subject":"аll"'.encode())),
        "statement.look-alike",
    ),
    ("an invisible letter", resigned(order(), (b'"args":{}', '"args":{"why":"a\u200bb"}'.encode())), "statement.text"),
    ("text turned around", resigned(order(), (b'"args":{}', '"args":{"why":"a\u202eb"}'.encode())), "statement.text"),
    ("letters in two parts", resigned(order(), (b'"args":{}', '"args":{"why":"e\u0301"}'.encode())), "statement.nfc"),
    ("a number that is none", resigned(order(), (b'"version":1', b'"version":1.0')), "canonical.float"),
    ("bytes that are no text", bare(b"\xff"), "canonical.json"),
    ("nested too deep", bare(b"[" * 500 + b"]" * 500), "canonical.depth"),
    ("too large", bare(b'"' + b"a" * ORDER_BYTES_MAX + b'"'), "canonical.size"),
    ("a verdict too large", bare(b'"' + b"a" * STATEMENT_BYTES_MAX + b'"', judged=True), "canonical.size"),
    ("a verdict nested too deep", bare(b"[" * 500 + b"]" * 500, judged=True), "canonical.depth"),
    ("not an object", bare(b"[1]"), "statement.type"),
    # When and where.
    ("another incident", order(incident="last-years"), "orders.incident"),
    ("expired", order(expires_us=1), "orders.expiry"),
    ("an order that took effect", again, "orders.once"),
    ("a head that is no prefix", order(head=Head(3, "ab" * 32)), "orders.head-unknown"),
    ("a head from the future", future, "orders.head-unknown"),
    ("what the signer has not seen", unseen, "orders.head"),
    # Who.
    ("a stranger", order("stranger"), "roster.person"),
    ("a revoked person", order("gone-1"), "roster.revoked"),
    ("before their time in the roster", order("early-1"), "roster.validity"),
    ("after their time in the roster", order("late-1"), "roster.validity"),
    ("a viewer", order("viewer-1"), "orders.role"),
    ("a role that may not", order("technician-1", "wave.launch", "foundations"), "orders.role"),
    ("the same person twice", twice, "orders.two-persons"),
    ("a role that fills no seat", second_seat, "orders.role"),
    ("a second signature under other bytes", other_bytes, "orders.id"),
    ("an order nobody knows", order(kind="host.release", subject="ad-2"), "orders.kind"),
    # The roster.
    ("a roster of one's own", genesis("operator-1"), "orders.genesis"),
    ("a roster one does not stand in", genesis("stranger"), "orders.genesis"),
    ("a roster signed with keys it does not bring", genesis("operator-1", "operator-2"), "signature.key"),
    ("a second id for a key", newcomer(key=line_of("operator-2")), "roster.key"),
    ("a weak key for somebody new", newcomer(key=public_of(WEAK).line), "key.weak"),
    (
        "a key anybody can use",
        newcomer(key="ssh-ed25519 " + base64.b64encode(string(ED25519) + string(b"\1" + bytes(31))).decode()),
        "key.small-order",
    ),
    ("somebody new without a key", newcomer(), "key.line"),
    (
        "two persons with one key",
        genesis(
            "operator-1",
            persons=[{"id": one, "roles": ["operator"], "key": line_of("operator-1")} for one in ("operator-1", "x")],
        ),
        "roster.key",
    ),
    ("another key for somebody known", newcomer("analyst-1", key=line_of("intruder")), "roster.replaced"),
    ("somebody revoked comes back", newcomer("gone-1", key=line_of("gone-1")), "roster.revoked"),
    # Verdicts.
    ("filed by another", verdict("analyst-1", by="analyst-2"), "verdict.person"),
    (
        "signed by another",
        lambda here: verdict("analyst-2")(here)._replace(signature=verdict("analyst-3")(here).signature),
        "signature.key",
    ),
    (
        "another host",
        rewritten(
            verdict(), (b'"name":"ad-2"', b'"name":"ad-1"'), (INSPECTED, b'"inspections":{"ad-1":"ad-1/inspect/1"}')
        ),
        "signature.mismatch",
    ),
    ("a host nobody knows", verdict(subjects=subject("ad-9")), "verdict.host"),
    ("another attempt", verdict(subjects=subject(inspection="ad-2/inspect/2")), "verdict.inspection"),
    (
        "another host's inspection",
        resigned(verdict(), (b'"ad-2/inspect/1"', b'"ad-1/inspect/1"')),
        "statement.inspection",
    ),
    ("another image", verdict(subjects=subject(image="ab" * 32)), "verdict.image"),
    ("other evidence", verdict(subjects=subject(evidence="ab" * 32)), "verdict.evidence"),
    ("another indicator set", verdict(indicator_set="ab" * 32), "verdict.set"),
    ("an expired verdict", verdict(expires_us=1), "verdict.expiry"),
    ("a verdict that holds too long", verdict(expires_us=1 << 52), "verdict.expiry"),
    ("a verdict filed again", verdict("analyst-1", "ad-1"), "verdict.two-persons"),
    ("a verdict of another incident", verdict(incident="last-years"), "orders.incident"),
    ("a verdict on another journal", verdict(head=Head(2, "cd" * 32)), "orders.head-unknown"),
    (
        "a lot with an added subject",
        rewritten(verdict(), (b'"subject":[', b'"subject":[' + ADDED)),
        "statement.inspection",
    ),
    (
        "a lot with an added subject and inspection",
        rewritten(
            verdict(),
            (b'"subject":[', b'"subject":[' + ADDED.replace(b"ad-3", b"ad-1")),
            (INSPECTED, b'"inspections":{"ad-1":"ad-1/inspect/1","ad-2":"ad-2/inspect/1"}'),
        ),
        "signature.mismatch",
    ),
    (
        "a lot that lists a host twice",
        rewritten(
            verdict(),
            (b'"subject":[', b'"subject":[' + ADDED.replace(b"ad-3", b"ad-2")),
            (INSPECTED, b'"inspections":{"ad-2":"ad-2/inspect/1","ad-3":"x"}'),
        ),
        "statement.subjects",
    ),
    (
        "CLEAN, and nothing was examined",
        resigned(verdict(), (b'"examined":["accounts"]', b'"examined":[]')),
        "statement.examined",
    ),
    (
        "CLEAN that promises more than was looked at",
        resigned(verdict(), (b"It is no promise that they are clean", b"It is a promise that they are clean")),
        "statement.means",
    ),
    ("CLEAN under what SUSPECT means", resigned(verdict(), (b'"CLEAN"', b'"SUSPECT"')), "statement.means"),
    ("a verdict by who launched the wave alone", judged_by_launcher, "verdict.separation"),
    ("CLEAN by the word of the host itself, which was not wiped", verdict("analyst-1", "backup-1"), "verdict.own-word"),
    ("an operator's verdict", verdict("operator-1"), "verdict.role"),
    ("a viewer's verdict", verdict("viewer-1"), "verdict.role"),
    ("a revoked analyst's verdict", verdict("gone-1"), "roster.revoked"),
]


# What was promised, in the words of the promise, and a row of the table for each.
PROMISED = {
    "other namespace": "git's namespace",
    "other host": "another host",
    "other attempt": "another attempt",
    "other image": "another image",
    "other set": "another indicator set",
    "expired": "an expired verdict",
    "early": "before their time in the roster",
    "replayed": "an order that took effect",
    "truncated": "a truncated text",
    "one bit changed": "one bit changed",
    "duplicate JSON keys": "a duplicate key",
    "reordered JSON keys": "keys in another order",
    "look-alike Unicode": "a look-alike letter",
    "one person with two keys": "a second key of the same person",
    "launcher verifying own wave": "a verdict by who launched the wave alone",
    "viewer's key": "a viewer's verdict",
    "revoked key": "a revoked analyst's verdict",
    "weak key": "a weak key of the same person",
    "sk without touch": "a security key nobody touched",
    "forged roster": "a roster of one's own",
    "head that is no prefix": "a head that is no prefix",
    "lot with an added subject": "a lot with an added subject and inspection",
    "oversized input": "too large",
    "deeply nested input": "nested too deep",
    "signature over the hash": "over the sha512",
    "the host's own word": "CLEAN by the word of the host itself, which was not wiped",
}


def _under(here: Hospital, namespace: str) -> Attempt:
    found = verdict()(here)
    return found._replace(signature=signed(found.text, found.person, namespace))


@pytest.mark.parametrize(("attack", "rule"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_nobody_gets_past_the_signatures(here: Hospital, attack: Attack, rule: str) -> None:
    attempt = attack(here)
    before = here.engine.head()
    admit = admit_verdict if attempt.verdict else admit_order
    with pytest.raises(RelanceError) as caught:
        admit(here.engine, attempt.text, attempt.person, attempt.signature)
    assert caught.value.rule == rule
    assert not isinstance(caught.value, NeedsAnother), "what is refused counts for nothing, not even for half"
    assert caught.value.sentence.endswith(".")
    assert here.engine.head() == before, "a refusal leaves no record"


def test_every_kind_of_attack_that_was_promised_stands_in_the_table_and_no_row_twice() -> None:
    rows = [name for name, _, _ in TABLE]
    assert len({*rows}) == len(rows) >= 50
    assert {*PROMISED.values()} <= {*rows}
    rules = {rule for _, _, rule in TABLE}
    print(f"{len(rows)} attacks are refused, for {len(rules)} reasons")
