"""The views as text for tired people: short lines, the most pressing first, sheets that print.

Never computes what a view does not say.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from orchestrator.interfaces.documents import (
    Exposed,
    Exposure,
    Function,
    Kind,
    LotSeen,
    Order,
    Owed,
    Queue,
    Status,
    Task,
    Wave,
    Why,
)
from orchestrator.interfaces.output import clock, columns, counted

SHEET_WIDTH = 100


def status_text(found: Status) -> str:
    """`relance status`."""
    lines = [
        f"Incident {found['incident']}, {found['records']} records, last {clock(found['last_event_us'])} UTC.",
        f"Hosts: {counted(found['hosts'])}. Under way: {counted(found['under_way']) or 'nothing'}.",
        f"In service in the last hour {found['rates']['in_service_last_hour']}, "
        f"in the last day {found['rates']['in_service_last_day']}.",
    ]
    lines += [f"FROZEN: {scope} ({mode})." for scope, mode in found["frozen"].items()]
    if found["clock_doubted"]:
        lines += [
            f"CLOCK: it jumped and shows {clock(found['at_us'] + found['clock_jump_us'])} UTC; by the time that passed "
            f"it is {clock(found['at_us'])} UTC. Reconnects are frozen; nothing expires by the jump.",
            "  Compare another clock; if this one is wrong, set it right. Then an operator signs:",
            "  relance order make clock.confirm clock --key KEY --person YOU",
        ]
    lines += ["", *_functions(found), "", *_waves(found["waves"]), *_full_pools(found), *_decisions(found)]
    if found["waits"]:
        lines += ["", "What waits:"]
        lines += columns(
            ((str(one["hosts"]), one["example"], one["sentence"], f"-> {one['who']}") for one in found["waits"]), "  "
        )
    return "\n".join(lines)


def _at_site(function: Function, site: str) -> str:
    accepted = " (accepted)" if site in function["accepted"] else ""
    return f"{site}:{function['sites'][site]}{accepted}"


def _functions(found: Status) -> list[str]:
    rows = [
        (one["name"], f"{one['ready_percent']}%", "  ".join(_at_site(one, site) for site in one["sites"]))
        for one in found["functions"]
    ]
    return columns([("function", "ready", "sites"), *rows])


def _waves(waves: list[Wave]) -> list[str]:
    """Launched waves with what their gates lack, then the next few; passed ones only by number, unless one relapsed."""
    passed = sum(wave["state"] == "passed" for wave in waves)
    open_waves = [wave for wave in waves if wave["waits"] or wave["state"] not in ("passed", "not_launched")]
    later = [wave["name"] for wave in waves if wave["state"] == "not_launched"]
    lines = [f"Waves: {passed} of {len(waves)} passed."]
    for wave in open_waves:
        holds = f", held: {', '.join(wave['holds'])}" if wave["holds"] else ""
        failed = f", {wave['failed']} failed" if wave["failed"] else ""
        lines.append(
            f"  {wave['name']}: {wave['state']}, {wave['in_service']} of {wave['hosts']} in service{failed}{holds}"
        )
        lines += [f"    {one['sentence']} -> {one['who']}" for one in wave["waits"][:3]]
    if later:
        more = f" and {len(later) - 5} more" if len(later) > 5 else ""
        lines.append(f"  not launched: {', '.join(later[:5])}{more}")
    return lines


def _full_pools(found: Status) -> list[str]:
    used = [one for one in found["pools"] if one["in_use"]]
    if not used:
        return []
    told = (f"{one['pool']}{'@' + one['site'] if one['site'] else ''} {one['in_use']}/{one['size']}" for one in used)
    return ["", f"Pools in use: {', '.join(told)}"]


def _decisions(found: Status) -> list[str]:
    lines = _counted((f"{one['why']} ({one['lane']})", one["host"]) for one in found["asks"])
    lines += _counted(("failed, no strategy is left", host) for host in found["failed"])
    lines += _counted(
        (f"owes an inspection ({_when(one)}): {one['cause']}", one["host"]) for one in found["obligations"]
    )
    for one in found["exceptions"]:
        lines.append(
            f"  {one['host']}: EXCEPTION until {clock(one['until_us'])}; another verdict cures it (relance queue)"
        )
    if found["orders_waiting"]:
        lines.append(f"  {found['orders_waiting']} orders wait for a signature (relance orders)")
    return ["", "A person must decide:", *lines] if lines else []


def _counted(told: Iterable[tuple[str, str]]) -> list[str]:
    """One line for each thing that is told of hosts, with how many and one of them: a bad night has 1,700."""
    hosts: dict[str, list[str]] = {}
    for what, host in told:
        hosts.setdefault(what, []).append(host)
    more = {what: f" and {len(those) - 1} more" if len(those) > 1 else "" for what, those in hosts.items()}
    return [f"  {those[0]}{more[what]}: {what}" for what, those in hosts.items()]


def _when(owed: Owed) -> str:
    return "OVERDUE" if owed["overdue"] else f"until {clock(owed['deadline_us'])[:13]} h"


def why_text(found: Why) -> str:
    """`relance why HOST`."""
    lines = [
        f"{found['host']}: {found['stage'].replace('_', ' ')}, {found['connection']}, strategy {found['strategy']}, "
        f"wave {found['wave'] or 'none'}."
    ]
    if found["exception_until_us"]:
        lines.append(f"An EXCEPTION stands in for a verdict until {clock(found['exception_until_us'])}.")
    lines += [f"Under way: {action}" for action in found["under_way"]]
    lines += [f"- {one['sentence']} Who can lift it: {one['who']}." for one in found["reasons"]]
    return "\n".join(lines if found["reasons"] else [*lines, "Nothing stands in its way."])


def exposure_text(found: Exposure) -> str:
    """`relance exposure HOST`: hosts with the same reasons on one line, servers by name."""
    groups: dict[tuple[int, str, bool, tuple[str, ...]], list[Exposed]] = {}
    for one in found["hosts"]:
        key = (one["distance"], one["source"], one["server"], tuple(one["reasons"]))
        groups.setdefault(key, []).append(one)
    lines = [f"{found['host']} ({found['stage'].replace('_', ' ')}) may have infected, or shares its infection with:"]
    for (distance, source, server, reasons), those in groups.items():
        named = ", ".join(one["host"] for one in (those if server else those[:3]))
        more = "" if server or len(those) <= 3 else f" and {len(those) - 3} more"
        out = sum(one["out"] for one in those)
        via = f" (through {source})" if distance > 1 else ""
        stopped = list(dict.fromkeys(service for one in those for service in one["stops"]))
        stops = f" Isolating stops {', '.join(stopped)}." if stopped else ""
        lines.append(f"  {named}{more}: {'; '.join(reasons)}{via}. Connected now: {out} of {len(those)}.{stops}")
    if not found["hosts"]:
        lines = [f"Nothing that is declared leads from {found['host']} ({found['stage']}) to another host."]
    return "\n".join(
        [
            *lines,
            "",
            f"Not examined: {'; '.join(found['not_examined'])}.",
            "Nothing was isolated. One host: relance host isolate HOST. No more reconnects meanwhile: relance freeze.",
        ]
    )


def queue_text(found: Queue) -> str:
    """`relance queue`."""
    lots = _lots(found["lots"])
    if not found["hosts"]:
        return "\n".join(["No host waits for a verdict.", *lots])
    rows = [
        (
            str(place),
            one["host"],
            one["wave"],
            f"{one['seats_open']} open",
            " ".join(claim["person"] for claim in one["claims"]) or "-",
            one["inspection"],
            f"{'MARKER ' * one['marker']}{'owed ' * one['owed']}{'EXCEPTION ' * (one['exception_until_us'] > 0)}"
            f"{('sample ' if one['drawn'] else 'lot ') * bool(one['lot'])}" + one["evidence"][:16],
        )
        for place, one in enumerate(found["hosts"], start=1)
    ]
    head = ("", "host", "wave", "seats", "claimed by", "inspection", "evidence")
    return "\n".join([*columns([head, *rows]), *lots, "", f"Indicator set in force: {found['indicator_set']}"])


def _lots(found: list[LotSeen]) -> list[str]:
    """What can be signed for at once, and what a lot waits for; nothing of those of which nobody waits."""
    lines = []
    for one in found:
        unread = [host["host"] for host in one["sample"] if not host["clean"]]
        if not (one["condemned"] or one["waiting"]):
            continue
        if one["condemned"]:
            stands = "a host of it was found INFECTED; each is read by itself"
        elif one["signable"]:
            stands = f"{len(one['waiting'])} wait: relance verdict sign CLEAN --lot {one['lot']}"
        elif unread:
            stands = f"{len(one['waiting'])} wait until its sample is CLEAN: {', '.join(unread)}"
        else:
            stands = f"{one['seen']} inspected; the first {one['first']} are read one by one"
        lines += ["", f"Lot {one['lot']}", f"  {len(one['sample'])} drawn of {one['seen']}; {stands}."]
    return lines


def tasks_text(found: list[Task], printed_us: int) -> str:
    """`relance tasks`: a sheet per site and place, with room for a hand to tick and sign."""
    if not found:
        return "No task is open."
    lines = [
        f"Tasks, printed {clock(printed_us)} UTC.",
        "Before you set out: relance task claim TASK --key KEY --person YOU",
        "Report each:        relance task done TASK --key KEY --person YOU     (or failed instead of done)",
    ]
    for (site, bench, room), tasks in groupby(found, key=lambda one: (one["site"], one["bench"], one["room"])):
        where = ", ".join(part for part in (site or "any site", bench and f"bench {bench}", room) if part)
        lines += ["", where, "-" * min(len(where), SHEET_WIDTH)]
        for one in tasks:
            check = one["confirm"].removeprefix("check:").replace("-", " ")
            confirm = "a second person confirms" if check == "two persons" else f'confirmed when "{check}" passes'
            lines += [
                f"[ ] {one['task']}: {one['name']}{_whose(one)}",
                f"    {one['name_fr']}",
                f"    by: {one['by']}; {confirm}.   done at ________ by ________________",
            ]
    return "\n".join(lines)


def _whose(task: Task) -> str:
    """Who reported it done, or is on it."""
    if task["reported_by"]:
        return f" (reported by {task['reported_by']}{': ' if task['seen'] else ''}{task['seen']})"
    return f" ({task['claimed_by']} is on it until {clock(task['claimed_until_us'])})" if task["claimed_by"] else ""


def orders_text(found: list[Order]) -> str:
    """`relance orders`."""
    if not found:
        return "No order waits for a signature."
    rows = [
        (
            one["order"],
            one["kind"],
            one["subject"],
            " ".join(one["persons"]),
            " and ".join("|".join(seat) for seat in one["missing_roles"]),
            clock(one["expires_us"]),
        )
        for one in found
    ]
    head = ("order", "kind", "subject", "signed by", "needs", "expires (UTC)")
    return "\n".join([*columns([head, *rows]), "", "Add a signature: relance order sign ORDER --key FILE --person ID"])


def kinds_text(found: list[Kind]) -> str:
    """`relance orders --kinds`."""
    rows = [
        (one["kind"], str(len(one["seats"])), " + ".join("|".join(seat) for seat in one["seats"]), one["note"])
        for one in found
    ]
    return "\n".join(columns([("kind", "persons", "roles", "note"), *rows]))
