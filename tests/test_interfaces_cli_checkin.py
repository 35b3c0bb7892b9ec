"""A technician gets a signed script for one host, and what that host posts is bound to how it stood."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from orchestrator.errors import Refused, UsageError
from orchestrator.interfaces import documents as d
from orchestrator.interfaces.checking_in import script_for, taking
from orchestrator.interfaces.cli_checkin import NAMESPACE
from orchestrator.workers.checkin import Claim
from tests.command_line import Terminal, terminal
from tests.estates import person
from tests.live_hospital import hospital

HOST = "ad-1"


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Terminal]:
    with terminal(tmp_path, capsys) as found:
        found.here.quarantined("foundations")
        yield found


def write(desk: Terminal, out: Path, *more: str, host: str = HOST) -> tuple[int, str]:
    said = desk.types("checkin", host, "--out", str(out), *desk.here.signer("operator-1"), *more)
    return said.code, said.out + said.err


def test_the_script_is_signed_and_its_signature_is_one_that_ssh_keygen_verifies(desk: Terminal, tmp_path: Path) -> None:
    with taking(desk.here.engine, "127.0.0.1:0") as url:
        code, said = write(desk, tmp_path)
    assert code == 0
    script = tmp_path / f"checkin-{HOST}.sh"
    assert sha256(script.read_bytes()).hexdigest() in said
    assert url in script.read_text()
    assert script.stat().st_mode & 0o777 == 0o600
    signers = tmp_path / "signers"
    signers.write_text(f"operator-1 {person('operator-1', 'operator').key}\n")
    command = [
        *("ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", "operator-1", "-n", NAMESPACE),
        *("-s", f"{script}.sig"),
    ]
    assert subprocess.run(command, input=script.read_bytes(), capture_output=True, check=False).returncode == 0
    assert subprocess.run(command, input=b"altered", capture_output=True, check=False).returncode != 0


def test_the_document_tells_the_tokens_digest_and_no_token(desk: Terminal, tmp_path: Path) -> None:
    signer = desk.here.signer("operator-1")
    with taking(desk.here.engine, "127.0.0.1:0"):
        said = desk.types.json("checkin", HOST, "--out", str(tmp_path), *signer)
        made = script_for(desk.here.engine, HOST, 1)
    told = said.document
    token = next(line[6:] for line in Path(told["file"]).read_text().splitlines() if line.startswith("token="))
    assert told["token_sha256"] == sha256(token.encode()).hexdigest()
    assert token not in said.out + said.err
    assert token not in (desk.here.engine.state_dir / "journal.sqlite").read_bytes().decode("latin-1")
    assert TypeAdapter(d.CheckIn).validate_python(made, strict=True) == made


def test_a_host_that_is_not_restored_yet_or_not_known_gets_no_script(desk: Terminal, tmp_path: Path) -> None:
    with taking(desk.here.engine, "127.0.0.1:0"):
        assert write(desk, tmp_path, host="atlantis") == (2, "There is no host atlantis. [usage.host]\n")
        code, said = write(desk, tmp_path / "gone")
        assert (code, "cannot be written" in said) == (2, True)
        assert write(desk, tmp_path, "--hours", "0")[0] == 2


def test_without_a_drop_box_no_script_is_made(desk: Terminal, tmp_path: Path) -> None:
    code, said = write(desk, tmp_path)
    assert (code, "--dropbox ADDRESS:PORT" in said) == (3, True)
    with taking(desk.here.engine, "") as url:
        assert (url, desk.here.engine.dropbox) == ("", "")
    with pytest.raises(UsageError, match="ADDRESS:PORT"), taking(desk.here.engine, "0.0.0.0:8400"):
        pass


def test_a_script_of_a_host_that_was_cut_off_anew_is_refused(desk: Terminal, tmp_path: Path) -> None:
    engine = desk.here.engine
    with taking(engine, "127.0.0.1:0"):
        write(desk, tmp_path)
        text = (tmp_path / f"checkin-{HOST}.sh").read_text()
        line = next(one for one in text.splitlines() if one.startswith("claim="))
        claim = Claim.from_text(line[6:].strip("'"))
        stands = engine.read(lambda state, _: state.isolated_us[state.estate.host_number[HOST]])
        assert claim.standing.isolated_us == stands > 0
        assert claim.incident == engine.incident


def test_a_host_whose_restore_is_under_way_checks_in_later(tmp_path: Path) -> None:
    with hospital(tmp_path / "state") as here:
        here.hands.hangs.add("restore")
        here.open_incident()
        with taking(here.engine, "127.0.0.1:0"), pytest.raises(Refused, match="once it is restored") as refused:
            script_for(here.engine, HOST, 1)
    assert refused.value.rule == "checkin.stage"
