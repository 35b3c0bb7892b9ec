"""Opens the drop-box beside a live process, and makes the scripts that hosts check in with.

Never keeps a script or a token, and makes one only for a host that is restored and cut off, or out.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from orchestrator.decision.stages import INSPECTED, INSPECTING, OUT, RESTORED
from orchestrator.decision.state import State
from orchestrator.engine.dispatch import sweep_of
from orchestrator.engine.loop import Engine
from orchestrator.errors import Refused, UsageError
from orchestrator.interfaces.documents import CheckIn
from orchestrator.interfaces.live import Live
from orchestrator.workers import checkin, checkin_script, dropbox
from orchestrator.workers.checkin import Arrivals, Claim, Standing
from orchestrator.workers.script import Sweep

HOUR_US = 3600 * 1_000_000


@contextmanager
def taking(engine: Engine, address: str) -> Iterator[str]:
    """Takes check-ins until the block ends; the URL, empty without an `address` (ADDRESS:PORT)."""
    if not address:
        yield ""
        return
    where = dropbox.address_of(address)
    box = dropbox.DropBox(
        engine.incident,
        checkin.secret_of(engine.state_dir),
        Arrivals(engine.state_dir / checkin.FOLDER),
        lambda host: engine.read(lambda state, now_us: _stands(state, host)),
    )
    with dropbox.listening(where, box) as url:
        engine.dropbox = url
        try:
            yield url
        finally:
            engine.dropbox = ""


def script_for(live: Live, host: str, hours: int) -> CheckIn:
    """A new script for one host, good for `hours` or until the host is restored or cut off anew. Raises Refused."""
    if not live.dropbox:
        raise Refused(
            "This process takes no check-ins: start `relance run --dropbox ADDRESS:PORT`.",
            rule="checkin.closed",
        )
    stands, os, sweep, until_us = live.read(lambda state, now_us: (*_asked(state, host), now_us + hours * HOUR_US))
    claim: Claim = checkin.new_claim(live.incident, stands, until_us)
    token = claim.token(checkin.secret_of(live.state_dir))
    errand = checkin_script.Errand(claim, token, live.dropbox, sweep)
    text = checkin_script.ps1(errand) if os == "windows" else checkin_script.sh(errand)
    return {
        "host": host,
        "name": f"checkin-{host}.{'ps1' if os == 'windows' else 'sh'}",
        "script": text,
        "sha256": sha256(text.encode()).hexdigest(),
        "token_sha256": sha256(token.encode()).hexdigest(),
        "until_us": until_us,
    }


def _stands(state: State, name: str) -> Standing | None:
    host = state.estate.host_number.get(name, -1)
    return checkin.standing(state, host) if host >= 0 else None


def _asked(state: State, name: str) -> tuple[Standing, str, Sweep]:
    stands = _stands(state, name)
    if stands is None:
        raise UsageError(f"There is no host {name}.", rule="usage.host", host=name)
    host = state.estate.host_number[name]
    quarantined = state.stage[host] in (RESTORED, INSPECTING, INSPECTED) and stands.isolated_us
    if not quarantined and state.stage[host] not in OUT:
        raise Refused(
            f"{name} is {state.stage[host].name.lower()}: a host checks in once it is restored and cut off, or out.",
            rule="checkin.stage",
        )
    return stands, state.estate.group(host).klass.os, sweep_of(state)
