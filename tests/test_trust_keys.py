"""Keys: what `ssh-keygen` makes is read and named as it names it; everything weaker or odder is refused by name."""

from __future__ import annotations

import base64
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.trust.keys import (
    ED25519_PRIME,
    ED25519_WEAK,
    FILE_BYTES_MAX,
    LINE_CHARS_MAX,
    SK_ECDSA,
    SK_ED25519,
    BadKey,
    generate,
    load_private,
    parse_public,
    public_of,
)
from tests.security_keys import SecurityKey

SAMPLES = {
    "ed25519": public_of(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))).line,
    "ecdsa": public_of(ec.derive_private_key(1, ec.SECP521R1())).line,
    "rsa": public_of(rsa.generate_private_key(65537, 3072)).line,
}
KINDS = [("ed25519", 256), ("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521), ("rsa", 3072)]


def ssh_keygen(path: Path, *options: str) -> Path:
    """A key pair as a person makes it."""
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", "lab desk", "-f", str(path), *options], check=True)
    return path


def wire(*parts: bytes) -> str:
    return base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).decode()


def ed25519_line(y: int) -> str:
    return "ssh-ed25519 " + wire(b"ssh-ed25519", y.to_bytes(32, "little"))


def reason(line: str) -> str:
    with pytest.raises(BadKey) as caught:
        parse_public(line)
    assert caught.value.sentence.endswith(".") or "`" in caught.value.sentence
    return caught.value.rule


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ssh_keygen(tmp_path_factory.mktemp("keys") / "analyst", "-t", "ed25519")


@pytest.mark.parametrize(("kind", "bits"), KINDS)
def test_a_key_made_by_ssh_keygen_is_read_and_named_as_ssh_keygen_names_it(
    tmp_path: Path, kind: str, bits: int
) -> None:
    path = ssh_keygen(tmp_path / "key", "-t", kind, "-b", str(bits))
    line = path.with_suffix(".pub").read_text()
    public = parse_public(line)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", str(path)], check=True, capture_output=True, text=True).stdout
    assert public.fingerprint == shown.split()[1]
    assert public.line == line.removesuffix(" lab desk\n")
    assert public_of(load_private(path)) == public


def test_a_persons_key_stays_the_same_key_whatever_the_comment_says(pair: Path) -> None:
    kind, text, _ = pair.with_suffix(".pub").read_text().split(" ", 2)
    keys = {parse_public(f"{kind} {text}{comment}") for comment in ("", " ", " lab desk", " Anaïs, salle 3", "\n")}
    assert len(keys) == 1
    assert "PublicKey(kind='ssh-ed25519'" in repr(keys)


def test_keys_too_weak_for_a_release_are_refused(tmp_path: Path) -> None:
    small = ssh_keygen(tmp_path / "small", "-t", "rsa", "-b", "2048")
    assert reason(small.with_suffix(".pub").read_text()) == "key.weak"
    with pytest.raises(BadKey, match="2048 bits; 3072 to 16384"):
        load_private(small)
    modulus = rsa.generate_private_key(65537, 3072).public_key().public_numbers().n
    odd = RSAPublicNumbers(35, modulus).public_key()
    assert reason(public_of(odd).line) == "key.exponent"


@pytest.mark.parametrize("y", [*sorted(ED25519_WEAK), ED25519_PRIME, 1 | 1 << 255])
def test_an_ed25519_key_for_which_anybody_can_sign_is_refused(y: int) -> None:
    assert reason(ed25519_line(y)) == "key.small-order"


def test_the_points_of_small_order_are_exactly_those_listed() -> None:
    """Doubling three times must give the neutral element; on -x^2 + y^2 = 1 + d x^2 y^2 that is a matter of y alone."""
    p = ED25519_PRIME
    d = -121665 * pow(121666, -1, p) % p

    def doubled(y: int) -> int:
        x2 = (y * y - 1) * pow(d * y * y + 1, -1, p) % p
        return (y * y + x2) * pow(1 - d * x2 * y * y, -1, p) % p

    assert len(ED25519_WEAK) == 5
    assert all(doubled(doubled(doubled(y))) == 1 for y in ED25519_WEAK)
    assert doubled(doubled(doubled(4 * pow(5, -1, p)))) != 1


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("", "key.line"),
        ("ssh-ed25519", "key.line"),
        ("ssh-ed25519\tAAAA", "key.line"),
        ("ssh-ed25519 AAAA one\nssh-ed25519 AAAA two", "key.line"),
        ("ssh-ed25519 АААА", "key.line"),
        ("ssh-ed25519 " + "A" * LINE_CHARS_MAX, "key.size"),
        ('command="id" ssh-ed25519 AAAA', "key.kind"),
        ("ssh-dss AAAA", "key.kind"),
        ("sk-ssh-ed25519@openssh.com AAAA", "key.damaged"),
        ("verify-required " + SAMPLES["ed25519"], "key.option"),
        ("verify-required  " + SAMPLES["ed25519"], "key.kind"),
        ("no-touch-required " + SecurityKey(SK_ED25519).line, "key.kind"),
        ("webauthn-" + SecurityKey(SK_ECDSA).line, "key.kind"),
        (SecurityKey(SK_ECDSA, application=b"https://login.example").line, "key.application"),
        (SecurityKey(SK_ED25519, application=b"").line, "key.application"),
        (SK_ED25519 + " " + wire(SK_ED25519.encode(), b"\x09" * 32), "key.damaged"),
        (SK_ED25519 + " " + wire(SK_ECDSA.encode(), b"\x09" * 32, b"ssh:"), "key.damaged"),
        (SK_ED25519 + " " + wire(SK_ED25519.encode(), b"\x09" * 31, b"ssh:"), "key.damaged"),
        (SK_ED25519 + " " + wire(SK_ED25519.encode(), b"\1" + bytes(31), b"ssh:"), "key.small-order"),
        (SecurityKey(SK_ED25519).line[:-1], "key.damaged"),
        (SK_ED25519 + " " + wire(SK_ED25519.encode(), b"\x09" * 32, b"ssh:" * 4)[:-4], "key.damaged"),
        ("ssh-ed25519-cert-v01@openssh.com AAAA", "key.kind"),
        ("ssh-ed25519 ", "key.damaged"),
        ("ssh-ed25519 !!!!", "key.damaged"),
        ("ssh-ed25519 AAAA", "key.damaged"),
        ("ssh-ed25519 " + wire(b"ssh-ed25519", b"\x09" * 31), "key.damaged"),
        ("ssh-ed25519 " + wire(b"ssh-rsa", b"\x09" * 32), "key.damaged"),
        ("ssh-ed25519 " + wire(b"ssh-ed25519", b"\x09" * 32, b"more"), "key.damaged"),
        ("ecdsa-sha2-nistp256 " + wire(b"ecdsa-sha2-nistp256", b"nistp256", b"\x04" + b"\x09" * 64), "key.damaged"),
    ],
)
def test_a_line_that_is_no_key_for_signing_is_refused_with_its_reason(line: str, rule: str) -> None:
    assert reason(line) == rule


def test_a_key_written_in_two_ways_is_one_key_so_only_one_way_is_read() -> None:
    numbers = rsa.generate_private_key(65537, 3072).public_key().public_numbers()
    modulus = b"\0" + numbers.n.to_bytes(384, "big")
    assert parse_public("ssh-rsa " + wire(b"ssh-rsa", b"\x01\x00\x01", modulus)).kind == "ssh-rsa"
    assert reason("ssh-rsa " + wire(b"ssh-rsa", b"\x00\x01\x00\x01", modulus)) == "key.form"
    assert reason("ssh-rsa " + wire(b"ssh-rsa", b"\x01\x00\x01", b"\0" + modulus)) == "key.form"
    line = public_of(ec.derive_private_key(1, ec.SECP256R1())).line
    assert line.endswith("fU=")
    assert reason(line[:-2] + "V=") == "key.form"
    assert reason(line[:-1]) == reason(line + "=") == reason(line + "AAAA") == "key.damaged"
    point = base64.b64decode(line.split()[1])[-64:]
    compressed = wire(b"ecdsa-sha2-nistp256", b"nistp256", b"\x03" + point[:32])
    assert reason(f"ecdsa-sha2-nistp256 {compressed}") == "key.damaged"


@given(kind=st.sampled_from(["ed25519", "ecdsa", "rsa"]), at=st.integers(0, 60), bytes_=st.binary(max_size=8))
def test_a_damaged_key_is_refused_or_is_another_key_but_never_a_crash(kind: str, at: int, bytes_: bytes) -> None:
    public = parse_public(SAMPLES[kind])
    damaged = public.blob[:at] + bytes_ + public.blob[at + len(bytes_) + len(bytes_) % 2 :]
    with suppress(BadKey):
        assert parse_public(f"{public.kind} {base64.b64encode(damaged).decode()}").blob == damaged


def test_a_new_key_pair_is_for_its_owners_eyes_and_openssh_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "analyst"
    public = generate(path)
    assert path.stat().st_mode & 0o777 == 0o600
    read = subprocess.run(["ssh-keygen", "-y", "-f", str(path)], check=True, capture_output=True, text=True).stdout
    assert parse_public(read) == public == parse_public((tmp_path / "analyst.pub").read_text())
    assert public_of(load_private(path)) == public


@pytest.mark.parametrize("kind", [SK_ED25519, SK_ECDSA])
def test_a_security_key_is_named_as_ssh_keygen_names_it_and_may_have_to_ask_for_its_pin(
    tmp_path: Path, kind: str
) -> None:
    key = SecurityKey(kind, application=b"ssh:relance")
    (tmp_path / "key.pub").write_text(key.line + "\n")
    shown = subprocess.run(["ssh-keygen", "-lf", tmp_path / "key.pub"], check=True, capture_output=True, text=True)
    public, with_pin = parse_public(key.line), parse_public(f"verify-required {key.line} tier 0")
    assert public.fingerprint == shown.stdout.split()[1]
    assert (public.pin, with_pin.pin, public.application) == (False, True, b"ssh:relance")
    assert public == with_pin
    assert public.line == with_pin.line == key.line


@pytest.mark.parametrize("name", ["analyst", "analyst.pub"])
def test_a_key_is_never_overwritten_and_nothing_is_left_behind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).symlink_to("nowhere")
    with pytest.raises(BadKey, match="never overwritten"):
        generate(tmp_path / "analyst")
    assert os.listdir(tmp_path) == [name]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadKey, match="No such file"):
        generate(tmp_path / "gone" / "analyst")
    with pytest.raises(BadKey, match="No such file"):
        load_private(tmp_path / "analyst")


def test_a_passphrase_is_asked_for_when_needed_and_only_then(tmp_path: Path, pair: Path) -> None:
    path = tmp_path / "locked"
    public = generate(path, passphrase=b"three wards")
    assert public_of(load_private(path, passphrase=b"three wards")) == public
    with pytest.raises(BadKey, match="needs a passphrase"):
        load_private(path)
    with pytest.raises(BadKey, match="opens with this passphrase"):
        load_private(path, passphrase=b"two wards")
    with pytest.raises(BadKey, match="has no passphrase"):
        load_private(pair, passphrase=b"three wards")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o611])
def test_a_private_key_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "analyst"
    generate(path)
    path.chmod(mode)
    with pytest.raises(BadKey, match=f"mode {mode:04o}.*chmod 600") as caught:
        load_private(path)
    assert caught.value.rule == "key.mode"
    assert caught.value.exit_code == 3


def test_what_is_no_key_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "large").touch(0o600)
    os.truncate(tmp_path / "large", FILE_BYTES_MAX + 1)
    (tmp_path / "text").touch(0o600)
    (tmp_path / "text").write_text("a shopping list")
    for name in ("pipe", "large", "text"):
        with pytest.raises(BadKey) as caught:
            load_private(tmp_path / name)
        assert caught.value.rule == "key.file"


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_a_dsa_key_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old"
    path.touch(0o600)
    path.write_bytes(
        dsa.generate_private_key(1024).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    with pytest.raises(BadKey, match="DSA keys are too weak"):
        load_private(path)
