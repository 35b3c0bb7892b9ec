"""Finds out how an action ended that left no line: by the mark on the host's management path, or at the gate.

Never begins, repeats or replaces anything on the managed side; it only reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import cast

from orchestrator import canonical
from orchestrator.canonical import Json
from orchestrator.clock import SystemClock
from orchestrator.workers.base import Invocation, NeverBegun, Outcome, Request
from orchestrator.workers.connection import Limits, Peer, Reply, Unreached, ask, load_key

_CLOCK = SystemClock()
_LIMITS = Limits(connect_s=3, banner_s=3, auth_s=3, command_s=5, output_max=1 << 16)
_AGAIN_S = 2.0
_THREADS = 8
_MARK = "relance-manage mark read"

Ask = Callable[[Request, str], Reply]


def settle(
    asked: Invocation,
    requests: Sequence[Request],
    write: Callable[[Outcome], None],
    *,
    limit_s: float,
    never_begun: NeverBegun,
) -> None:
    """Write the outcome of each request as it becomes known; what still runs is waited for up to `limit_s`."""
    key = load_key(Path(asked.key))
    pins = read_pins(Path(asked.known_hosts))

    def put(request: Request, command: str) -> Reply:
        address, port = request.endpoint
        return ask(Peer(address, port, request.management_user, pins.get((address, port), "")), key, command, _LIMITS)

    with ThreadPoolExecutor(_THREADS) as pool:
        for future in as_completed([pool.submit(_settle, put, r, limit_s, never_begun) for r in requests]):
            write(future.result())


def read_pins(known_hosts: Path) -> dict[tuple[str, int], str]:
    """Host keys by address and port, from a file in OpenSSH's known_hosts format (plain names only)."""
    pins: dict[tuple[str, int], str] = {}
    for line in known_hosts.read_text().splitlines():
        words = line.split()
        if len(words) < 3 or words[0].startswith("#"):
            continue
        for name in words[0].split(","):
            address, _, port = name.removeprefix("[").partition("]:")
            pins[address, int(port or 22)] = f"{words[1]} {words[2]}"
    return pins


def _settle(put: Ask, request: Request, limit_s: float, never_begun: NeverBegun) -> Outcome:
    deadline_us = _CLOCK.elapsed_us() + limit_s * 1e6
    while True:
        outcome = _look(put, request, never_begun)
        if not outcome.facts.get("unsettled"):
            return outcome
        if _CLOCK.elapsed_us() >= deadline_us:
            return outcome
        _CLOCK.sleep_s(_AGAIN_S)


def _look(put: Ask, request: Request, never_begun: NeverBegun) -> Outcome:
    """One look; an outcome with the fact `unsettled` may still change."""
    try:
        if request.lane == "network":
            return _from_gate(put, request, never_begun)
        return _from_mark(request, _object(put(request, _MARK)), never_begun)
    except Unreached as error:
        return _lost(request, f"How it ended is not known: {error.sentence}", unsettled=True)


def _from_gate(put: Ask, request: Request, never_begun: NeverBegun) -> Outcome:
    wanted = "open" if request.step == "reconnect" else "isolated"
    state = _object(put(request, f"relance-gate show {request.host}")).get("state") if request.host else None
    if state == wanted:
        return Outcome(request.action, "ok", "", {"host": request.host, "state": state})
    return Outcome(request.action, never_begun.outcome, never_begun.sentence, {"state": state})


def _from_mark(request: Request, mark: Mapping[str, Json], never_begun: NeverBegun) -> Outcome:
    if mark.get("action") != request.action or mark.get("state") not in ("begun", "ended"):
        return Outcome(request.action, never_begun.outcome, never_begun.sentence, {"begun": False})
    if mark["state"] == "begun":
        if mark.get("running"):
            return _lost(request, "It was still running when its time limit ended.", unsettled=True)
        return _lost(request, "It had begun and is no longer running; how far it came is not known.")
    facts = cast("dict[str, Json]", mark.get("facts") or {})
    if mark.get("outcome") != "ok":
        return Outcome(request.action, "failed", "It ended as failed; its sentence was not heard.", facts)
    if not facts:
        return _lost(
            request, "It ended well, but what it said (digest, host key) was not heard; it must be done again."
        )
    return Outcome(request.action, "ok", "", facts)


def _lost(request: Request, sentence: str, *, unsettled: bool = False) -> Outcome:
    return Outcome(request.action, "lost", sentence, {"unsettled": True} if unsettled else {})


def _object(reply: Reply) -> dict[str, Json]:
    """The JSON object a command printed; an answer without one is as good as none."""
    try:
        value = canonical.decode(reply.output)
    except canonical.NotCanonical:
        value = None
    if not isinstance(value, dict):
        raise Unreached(f"the answer is not a state (exit {reply.status}): {reply.errors.strip()[:200]}")
    return value
