"""The commands about content: lay it down, find what is wrong with it, derive its waves.

Never touches a state folder, and changes nothing but the empty folder `init` is given.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from orchestrator.errors import UsageError
from orchestrator.interfaces.output import Commands, show
from orchestrator.interfaces.places import estate_of
from orchestrator.plans import analyst_hours
from orchestrator.plans.lay_down import lay_down
from orchestrator.plans.model import Content, Plan
from orchestrator.plans.plan_text import Hours, as_json, as_text, why_host
from orchestrator.plans.review import planned

OK, FINDINGS = 0, 1
HOURS_HOSTS_MAX = 5000
BEGINS_S = 7 * 3600  # of the day, the morning a plan is read on


def add(commands: Commands) -> None:
    """Declares init, review and plan."""
    parser = commands.add_parser("init", description="Lay down an estate to start from in an empty folder.")
    parser.add_argument("directory", metavar="DIR", type=Path)
    parser.add_argument(
        "--from", dest="hosts", type=Path, metavar="HOSTS.CSV", help="id,kind,site,function_or_services,class"
    )
    parser.set_defaults(call=_init)
    parser = commands.add_parser("review", description="Find everything wrong with the content; exit 1 on errors.")
    parser.set_defaults(call=_review)
    parser = commands.add_parser("plan", description="Derive the waves and their gates.")
    parser.add_argument("--why", metavar="HOST", help="explain why this host stands where it stands")
    parser.add_argument(
        "--hours",
        action=argparse.BooleanOptionalAction,
        help=f"when each function would be back (left out above {HOURS_HOSTS_MAX} hosts unless asked for)",
    )
    parser.set_defaults(call=_plan)


def _init(options: argparse.Namespace) -> int:
    if options.hosts is not None and not options.hosts.is_file():
        raise UsageError(f"There is no file {options.hosts}.", rule="usage.file", file=str(options.hosts))
    laid = lay_down(options.directory, options.hosts)
    files = [str(path) for path in laid.files]
    text = f"Laid down {len(files)} files in {options.directory}. Next: relance --estate {options.directory} review"
    document = {"directory": str(options.directory), "files": files, "notes": laid.notes}
    show(options, document, "\n".join([*laid.notes, text]))
    return OK


def _review(options: argparse.Namespace) -> int:
    # The core is imported here: `plan` does without it.
    from orchestrator.interfaces.reviewing import reviewed

    examined = reviewed(estate_of(options), Path(options.state) if options.state else None)
    found = examined.findings
    counts = Counter(one.severity for one in found)
    hours = analyst_hours.in_words(examined.content) if examined.content is not None else []
    told = ", ".join(f"{counts[severity]} {severity}" for severity in ("error", "warning", "debt"))
    show(options, [one.as_json() for one in found], "\n".join([*map(str, found), *hours, told]))
    return FINDINGS if counts["error"] else OK


def _plan(options: argparse.Namespace) -> int:
    content, plan, errors = planned(estate_of(options))
    if options.why:
        sentences = why_host(content, plan, options.why, errors)
        show(options, {"host": options.why, "sentences": sentences}, "\n".join(sentences))
    else:
        few = len(content.inventory.hosts) <= HOURS_HOSTS_MAX
        hours = _hours(content, plan) if options.hours or (few and options.hours is None) else None
        as_asked = as_json(content, plan, hours) if options.format == "json" else None
        show(options, as_asked, as_text(content, plan, hours, errors))
    return OK


def _hours(content: Content, plan: Plan) -> Hours:
    """One run of the core without faults, and the bounds."""
    # Imported here: the plan alone, and explaining a host, do without the core.
    from orchestrator.plans.bound_problem import Given, function_bounds
    from orchestrator.simulation.forecast import rehearsed

    rehearsal = rehearsed(content, plan, BEGINS_S)
    bounds = function_bounds(content, plan, Given(start_s=BEGINS_S))
    return Hours(bounds, rehearsal.functions_s, rehearsal.first_day)
