"""Writes what the CERT is given: one folder that verifies with ssh-keygen and Python alone.

Never writes into a folder that is there already, and never leaves half of one under its final name.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from orchestrator import canonical
from orchestrator.errors import Refused
from orchestrator.interfaces.admission import KEPT_BYTES_MAX
from orchestrator.journal import check
from orchestrator.journal.backup import JOURNAL
from orchestrator.journal.blobs import Blobs
from orchestrator.journal.disk import refused_by_disk, sync_folder
from orchestrator.journal.export import export
from orchestrator.journal.record import Head
from orchestrator.journal.sqlite import Journal
from orchestrator.trust.keys import parse_public
from orchestrator.trust.statement import ORDER_NAMESPACE, VERDICT_NAMESPACE

README = """What this folder is

The journal of an incident and every order and verdict in it, each with its signature, as Relance wrote them.
Nothing of Relance is needed to check them: Python 3 and OpenSSH's ssh-keygen (8.2 or later; 8.9 for security keys) are.

    journal.jsonl      every record, one a line, and the head: how many records there are, and their Merkle root
    order/ verdict/    RECORD_PERSON.json is the very text that was signed, RECORD_PERSON.json.sig the signature
    allowed_signers    the keys of the roster, as the journal's own orders brought them
    check.py           reads the journal against a head; it is short: read it

1. Every signature. Each line says Good, or the file's name:

    for kind in order verdict; do for text in $kind/*.json; do
        person=${text##*_}; person=${person%.json}
        ssh-keygen -Y verify -f allowed_signers -I "$person" -n "relance-$kind@v1" -s "$text.sig" < "$text" ||
            echo "DOES NOT VERIFY: $text"
    done; done

2. The journal, against a head SIZE:ROOT that somebody printed or signed earlier (`relance audit`, `status`):

    python3 check.py SIZE:ROOT

It says whether any record was rewritten, dropped, moved or forged since that head was printed, whether each record is
what was signed, and whether what each signer saw is a part of this journal. The head of this very folder is in
head.txt; a head from the machine you doubt proves nothing, a head on paper does.

3. The roster. allowed_signers holds whoever was ever in the roster. Compare the fingerprints with those read aloud at
the beginning (`ssh-keygen -lf allowed_signers`). Who was added or revoked when, and by whom, stands in order/ (genesis,
roster.add, roster.revoke). ssh-keygen does not ask whether a security key was touched; Relance did when it admitted
what it signed.
"""


def hand_over(state_dir: Path, target: Path) -> Head:
    """Writes the folder `target`; the head of the journal in it. Raises Refused where it is there already."""
    if os.path.lexists(target):
        raise Refused(f"{target} is there already: an export goes into a new folder.", rule="export.exists")
    part = target.with_name(f"{target.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)  # of an export that was killed
        part.mkdir(mode=0o700, parents=True)
        with Journal.open(state_dir / JOURNAL, read_only=True) as journal:
            head = export(journal, part / "journal.jsonl")
            signers = _documents(journal, head, Blobs(state_dir / "evidence"), part)
        _write(part / "allowed_signers", "".join(signers))
        _write(part / "head.txt", f"{head}\n")
        _write(part / "README.txt", README)
        shutil.copyfile(check.__file__, part / "check.py")
        part.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise refused_by_disk(error, target) from error
    return head


def _documents(journal: Journal, head: Head, blobs: Blobs, part: Path) -> list[str]:
    """Writes each signed document and its signature; the lines of everybody whose key the roster ever held."""
    signers: dict[str, None] = {}
    for kind in ("order", "verdict"):
        (part / kind).mkdir(mode=0o700)
    for record in journal.records():
        kind = {"ordered": "order", "judged": "verdict"}.get(record.kind, "")
        if not kind or record.seq > head.size:
            continue
        body: Any = record.body
        kept: Any = canonical.decode(blobs.get(body["blob"]), size_max=KEPT_BYTES_MAX)
        name = part / kind / f"{record.seq:08}_{body['person']}.json"
        _write(name, kept["document"])
        _write(name.with_name(name.name + ".sig"), kept["signature"])
        signers |= dict.fromkeys(_signers(body))
    return list(signers)


def _signers(body: Any) -> list[str]:
    """The lines of allowed_signers that this order brings."""
    args = body.get("args", {})
    persons = {"genesis": args.get("persons"), "roster.add": [args.get("person")]}.get(body.get("kind", ""), [])
    both = f"{ORDER_NAMESPACE},{VERDICT_NAMESPACE}"
    return [f'{one["id"]} namespaces="{both}" {parse_public(one["key"]).line}\n' for one in persons]


def _write(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")
    path.chmod(0o600)
