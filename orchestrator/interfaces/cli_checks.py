"""The commands about checks: ask them by hand, say what they prove.

Never needs a live process or a journal, and never writes anything, here or at a peer.
"""

from __future__ import annotations

import argparse
from contextlib import suppress
from pathlib import Path

from orchestrator.errors import ContentError, UsageError
from orchestrator.interfaces.output import Commands, progress, show
from orchestrator.interfaces.places import estate_of, state_of

OK, FINDINGS = 0, 1


def add(commands: Commands) -> None:
    """Declares checks run and checks explain."""
    parts = commands.add_parser("checks", description="Probes by hand.").add_subparsers(required=True)
    parser = parts.add_parser("run", description="Ask every check of a function's services, or of a host, now.")
    parser.add_argument("function", nargs="?", default="")
    parser.add_argument("--host", default="", help="ask what is asked of this host instead")
    parser.add_argument("--source", default="", metavar="ADDRESS", help="which of this machine's addresses asks")
    parser.add_argument("--known-hosts", default="", metavar="FILE", help="host keys that no restore has pinned yet")
    parser.set_defaults(call=_checks)
    parser = parts.add_parser("explain", description="What is asked, of whom, what PASS means and what it leaves open.")
    parser.add_argument("what", metavar="CHECK|FUNCTION")
    parser.set_defaults(call=_explain)


def _checks(options: argparse.Namespace) -> int:
    # Probes are imported here: explaining a check loads none.
    from orchestrator.interfaces.hand_checks import asked, pins, questions, questions_to, vouched
    from orchestrator.plans.review import planned

    if bool(options.function) == bool(options.host):
        raise UsageError("Name a function, or a host with --host.", rule="usage.words")
    content, *_ = planned(estate_of(options))
    kind, name = ("function", options.function) if options.function else ("host", options.host)
    inventory = content.inventory
    if name not in {one.id for one in (inventory.functions if options.function else inventory.hosts)}:
        raise UsageError(f"There is no {kind} {name}.", rule=f"usage.{kind}")
    pinned = vouched(content, Path(options.known_hosts)) if options.known_hosts else {}
    secrets: Path | None = None
    with suppress(UsageError):  # the packaged estate keeps no state
        secrets = state_of(options) / "secrets"
        pinned |= pins(state_of(options))
    asking = list((questions if options.function else questions_to)(content, name, options.source, pinned))
    if not asking:
        raise ContentError(f"No check asks anything of {name}: see checks/README.md.", rule="checks.none")
    if not pinned and any(one.check.probe == "ssh" for one in asking):
        progress("No restore has pinned a host key yet (no journal there): ssh checks cannot be asked. See --state.")
    found = asked(asking, secrets)
    left = [one for one in found if not one["asked"]]
    passes = sum(one["outcome"] == "PASS" for one in found)
    lines = [f"{one['outcome']:8}{one['check']} ({one['level']}) at {one['host']}: {one['sentence']}" for one in found]
    lines.append(f"{passes} of {len(found) - len(left)} answers are PASS.")
    if left:
        lines.append(f"Not asked, because they write: {len(left)}. Their gate asks them, or two witnesses stand in.")
    show(options, {"function": options.function, "host": options.host, "answers": found}, "\n".join(lines))
    return OK if passes == len(found) - len(left) else FINDINGS


def _explain(options: argparse.Namespace) -> int:
    from orchestrator.interfaces.explaining import explained, in_words
    from orchestrator.plans.review import planned

    content, *_ = planned(estate_of(options))
    found = explained(content, options.what)
    if not found:
        raise UsageError(f"There is no check {options.what}, nor a function that checks ask about.", rule="usage.check")
    show(options, {"checks": found}, "\n\n".join(in_words(one) for one in found))
    return OK
