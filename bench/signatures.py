"""Measures how many signed verdicts are verified per CPU second, beside `ssh-keygen -Y verify` on the same files.

Prints one JSON line and asserts no time; every signature must verify on both sides, or there is no figure.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from orchestrator.trust.keys import PrivateKey, public_of
from orchestrator.trust.signature import sign, verify
from orchestrator.trust.statement import VERDICT_NAMESPACE, Head, Statement, Subject

HOUR_US = 3_600_000_000
Signed = tuple[bytes, str]


def statement(number: int) -> bytes:
    """The bytes of a verdict on one host, as analysts sign them."""
    host = f"lab-ws-{number:05}"
    return Statement(
        verdict="CLEAN",
        person="analyst-1",
        subjects=(Subject(host, f"{host}/inspect/1", f"{number:064x}"),),
        indicator_set="0" * 64,
        tools=("relance inspection",),
        method="manifest and markers read",
        examined=("files", "sockets", "accounts", "jobs"),
        not_examined=("memory", "firmware"),
        head=Head(number, "ab" * 32),
        expires_us=HOUR_US + number,
        incident="bench",
    ).to_bytes()


def signed_by(key: PrivateKey, count: int) -> list[Signed]:
    """Verdicts, each with its signature."""
    texts = [statement(number) for number in range(count)]
    return [(text, sign(key, VERDICT_NAMESPACE, text)) for text in texts]


def ours(made: list[Signed], line: str, rounds: int) -> float:
    """Verified signatures per CPU second, the best round."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        for text, armoured in made:
            verify(armoured, VERDICT_NAMESPACE, text, line)
        best = min(best, time.process_time() - start)
    return len(made) / best


def rival(made: list[Signed], line: str, folder: Path) -> float:
    """The same by one `ssh-keygen -Y verify` each: CPU of those processes alone, not of starting them."""
    (folder / "allowed").write_text(f"analyst-1 {line}\n")
    words = ["ssh-keygen", "-Y", "verify", "-f", str(folder / "allowed"), "-I", "analyst-1", "-n", VERDICT_NAMESPACE]
    for number, (_, armoured) in enumerate(made):
        (folder / str(number)).write_text(armoured)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for number, (text, _) in enumerate(made):
        subprocess.run([*words, "-s", str(folder / str(number))], input=text, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return len(made) / (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def main() -> None:
    """Parse the options, measure, print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--signatures", type=int, default=2000)
    options.add_argument("--rival-signatures", type=int, default=100)
    options.add_argument("--rounds", type=int, default=3)
    given = options.parse_args()
    keys: dict[str, PrivateKey] = {
        "ed25519": Ed25519PrivateKey.generate(),
        "ecdsa_p256": ec.generate_private_key(ec.SECP256R1()),
        "rsa_3072": rsa.generate_private_key(65537, 3072),
    }
    figures: dict[str, object] = {"bench": "signatures", "signatures": given.signatures}
    for kind, key in keys.items():
        line, made = public_of(key).line, signed_by(key, given.signatures)
        with tempfile.TemporaryDirectory() as folder:
            theirs = rival(made[: given.rival_signatures], line, Path(folder))
        figures[f"{kind}_per_cpu_s"] = round(ours(made, line, given.rounds))
        figures[f"{kind}_ssh_keygen_per_cpu_s"] = round(theirs)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
