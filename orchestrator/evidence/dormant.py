"""Looks through stored evidence for dormant triggers: what would start something later, by date, at boot or at login.

Never says "none": it says in how many of how many hosts the lists it reads were examined, and what it read there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orchestrator.canonical import Json
from orchestrator.evidence.document import Evidence
from orchestrator.evidence.manifest import PATH_AT, text_of

_DATED_TIMER = re.compile(r"OnCalendar=\S*\d{4}-")
_CRON = re.compile(r":(?P<when>@\w+|(?:[^\s:]+\s+){5})")
_ONCE = re.compile(r" trigger=1@")  # a time trigger of the Windows task scheduler
_BACKUP = re.compile(
    r"(?i)\b(restic|borg(matic)?|bacula|bareos|duplicity|duplicati|rsnapshot|rclone|veeam\w*|vzdump|pg_basebackup|"
    r"(pg_|mysql|mariadb-|xfs)dump(all)?|wbadmin|vssadmin|shadowcopy|diskshadow)\b"
)
_NUMBER = re.compile(r"\d")
_STARTS_AT_LOGIN = re.compile(
    rb"/(profile\.d/|\.?(profile|bashrc|bash_profile|bash\.bashrc|zshrc)$|rc\.local$|ld\.so\.preload$)"
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """What one sweep reads, in words, in which lists, and how it tells a trigger from the rest."""

    means: str
    lists: tuple[str, ...]
    found: Callable[[Evidence], Iterable[str]]


@dataclass(slots=True)
class Found:
    """What a sweep found by host; `examined` of `known` hosts showed all that it reads, the others say why not."""

    name: str
    known: int = 0
    examined: int = 0
    hits: dict[str, list[str]] = field(default_factory=dict)
    unexamined: dict[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """For people."""
        of = f"in {self.examined} of {self.known} hosts examined"
        return f"{self.name}: {f'found on {len(self.hits)} hosts' if self.hits else 'none found'} {of}."

    def as_json(self) -> dict[str, Json]:
        """The whole of it."""
        return {
            "sweep": self.name,
            "sentence": self.sentence,
            "hosts": self.known,
            "examined": self.examined,
            "found": {host: [*lines] for host, lines in self.hits.items()},
            "unexamined": dict(self.unexamined),
        }


def _listed(seen: Evidence, name: str) -> Iterator[str]:
    return (f"{name}: {line}" for line in seen.lists.get(name, ()))


def _dated_timers(seen: Evidence) -> Iterator[str]:
    return (line for line in _listed(seen, "timers") if _DATED_TIMER.search(line))


def _rare_jobs(seen: Evidence) -> Iterator[str]:
    """Jobs of one day of the year, and at boot: `0 3 24 12 *`, `@reboot`, `@yearly`."""
    for line in _listed(seen, "cron"):
        job = _CRON.search(line.partition(": ")[2])
        if job is None:
            continue
        fields = job["when"].split()
        dated = len(fields) == 5 and bool(_NUMBER.search(fields[2]) and _NUMBER.search(fields[3]))
        if dated or fields[0] in ("@reboot", "@yearly", "@annually"):
            yield line


def _dated_tasks(seen: Evidence) -> Iterator[str]:
    return (line for line in _listed(seen, "scheduled_tasks") if _ONCE.search(line))


def _backups(*lists: str) -> Callable[[Evidence], Iterable[str]]:
    """Jobs that run, or delete, backups."""
    return lambda seen: (line for name in lists for line in _listed(seen, name) if _BACKUP.search(line))


def _backup_jobs(seen: Evidence) -> Iterator[str]:
    yield from _listed(seen, "backup_jobs")
    yield from _backups("cron", "services", "timers")(seen)


def _at_login(seen: Evidence) -> Iterator[str]:
    lines = (*seen.differs.unknown, *seen.differs.changed)
    return (text_of(line[PATH_AT:]) for line in lines if _STARTS_AT_LOGIN.search(line, PATH_AT - 1))


SWEEPS: Mapping[str, Trigger] = MappingProxyType(
    {
        "at-jobs": Trigger(
            "jobs of `at`, which run once and later", ("at_jobs",), lambda seen: _listed(seen, "at_jobs")
        ),
        "backup-jobs": Trigger(
            "what runs with backups or deletes them: hooks and rules of backup tools, jobs and units that name one",
            ("backup_jobs", "cron", "services", "timers"),
            _backup_jobs,
        ),
        "backup-tasks": Trigger(
            "tasks and services of Windows that name a backup tool, or shadow copies",
            ("scheduled_tasks", "services"),
            _backups("scheduled_tasks", "services"),
        ),
        "directory": Trigger(
            "what a directory's controllers keep and hand out: rights on AdminSDHolder, accounts it protects, logon "
            "scripts, delegation, links of policies, those that every directory has too",
            ("directory",),
            lambda seen: _listed(seen, "directory"),
        ),
        "dated-timers": Trigger("timers that name a date", ("timers",), _dated_timers),
        "dated-tasks": Trigger("scheduled tasks of Windows that name a date", ("scheduled_tasks",), _dated_tasks),
        "logon-scripts": Trigger(
            "scripts that Windows runs at logon, by policy or setting",
            ("logon_scripts",),
            lambda seen: _listed(seen, "logon_scripts"),
        ),
        "rare-jobs": Trigger("cron jobs of one day of the year, or at boot", ("cron",), _rare_jobs),
        "shell-start": Trigger("start-up files that differ from the golden manifest", ("shell_startup",), _at_login),
        "wmi-subscriptions": Trigger(
            "event subscriptions of WMI, those that Windows brings too",
            ("wmi_subscriptions",),
            lambda seen: _listed(seen, "wmi_subscriptions"),
        ),
    }
)


def sweep(name: str, looked: Iterable[tuple[str, Evidence | str]]) -> Found:
    """One named sweep over hosts and their evidence, or the sentence why there is none."""
    trigger, found = SWEEPS[name], Found(name)
    for host, seen in looked:
        found.known += 1
        why = seen if isinstance(seen, str) else _unexamined(trigger, seen)
        if why:
            found.unexamined[host] = why
        else:
            found.examined += 1
        # What was examined in part may still show something.
        lines = [] if isinstance(seen, str) else [*trigger.found(seen)]
        if lines:
            found.hits[host] = lines
    return found


def _unexamined(trigger: Trigger, seen: Evidence) -> str:
    """Why the host does not count as examined; empty where it does."""
    for name in trigger.lists:
        if name not in seen.lists:
            return f"{name} was not read"
        said = [
            line for line in seen.not_examined if line.startswith((f"{name}:", f"{name} beyond")) or "output's" in line
        ]
        if said:
            return said[0]
    if trigger.found is _at_login and not seen.golden:
        return "its class has no golden manifest"
    return ""
