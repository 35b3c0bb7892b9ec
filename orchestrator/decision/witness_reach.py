"""Says anew, from the words of the content, whom a host has surely spoken with: the least that a recall must freeze.

Never asks the core and shares no rule with it. Of hosts in quarantine it names those alone about whom somebody said
CLEAN: only they could be on their way out.
"""

from __future__ import annotations

from orchestrator.decision import commands as c
from orchestrator.decision.witness_books import Books


def spoke_with(books: Books, name: str) -> set[str]:
    """The hosts that are out and use what `name` plays, play what it uses, or are the other end of its interfaces;
    and those in quarantine that were restored or inspected with its help."""
    own, links = set(books.hosts[name].services), books.content.inventory.interfaces
    inside, anywhere = _uses(books, name)
    ends = {link.target for link in links if link.source in own} | {link.source for link in links if link.target in own}
    found = set()
    for other, host in books.host.items():
        theirs = set(books.hosts[other].services)
        restored_by, uses = _uses(books, other)
        judged = bool(host.clean) and not host.away and not host.infected
        met = (uses | restored_by) & own or theirs & (ends | inside | anywhere) if host.out else restored_by & own
        if met and (host.out or judged):
            found.add(other)
    return found - {name}


def freeze(books: Books, command: c.Freeze | c.Thaw) -> None:
    """Notes that a reach or a site is frozen, or that the core ended the freeze of a reach."""
    kind, _, name = command.scope.partition(":")
    books.unfrozen.discard(name)
    if isinstance(command, c.Thaw):
        books.reach.pop(name, None)
    elif kind == "reach":
        books.reach.setdefault(name, set()).update(command.hosts)
        books.shut.discard(name)
    else:
        books.freezes.add(command.scope)


def _uses(books: Books, name: str) -> tuple[set[str], set[str]]:
    """The services a host's restore and inspections need; and those it needs to be connected, outside its units."""
    klass, own = books.klass(name), set(books.hosts[name].services)
    holders = [klass.needs, *(books.services[one].needs for one in own)]
    inside = {need for needs in holders for need in (*needs.restore, *needs.inspect)}
    inside |= {klass.source.partition(":")[2]} - {""}
    return inside - own, {need for needs in holders for need in needs.reconnect} - own
