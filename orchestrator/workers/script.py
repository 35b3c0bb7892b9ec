"""The shell script of one inspection: POSIX sh that reads one host and writes nothing on it.

Never decides what a finding means, and never lets one list grow without bound: what stops at its bound is said.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orchestrator.plans.model import WINDOWS_PATHS

MARKERS_MAX = 200
LIST_BYTES_MAX = 1 << 18
SAMPLES_MAX = 100
SAMPLE_BYTES_MAX = 1 << 20
SAMPLES_BYTES_MAX = 1 << 23

# `there` names what exists of its words; `lines OPTIONS` prints the matching lines
# of those files, each behind its path.
_FUNCTIONS = r"""there() { for path; do if [ -f "$path" ] || [ -d "$path" ]; then printf '%s\0' "$path"; fi; done; }
lines() { xargs -0 -r grep -rHaE "$@" -- || [ $? = 123 ]; }"""
_UNITS = (
    "there etc/systemd/system usr/lib/systemd/system usr/local/lib/systemd/system"
    " root/.config/systemd home/*/.config/systemd"
)
_SETTING = "-e '^[^#]'"
# Of what configures backups, the commands that run with one and what lets old ones go; never a line with a password.
_BACKUPS = (
    "there etc/restic etc/resticprofile etc/borgmatic etc/borgmatic.d etc/bacula etc/bareos etc/rsnapshot.conf"
    " etc/rsnapshot.d etc/duplicity etc/backup.d root/.config/borgmatic home/*/.config/borgmatic"
)
_HOOK = (
    "-i -e '^[[:space:]]*((client)?run[a-z ]*|command|schedule|[a-z_ ]*script[a-z_]*|cmd_[a-z_]*|[a-z_]*hook[a-z_]*"
    "|(before|after|on)_[a-z_]*|(keep|prune|forget)[a-z_-]*)[[:space:]=:{]' -e '^[[:space:]]*- ([^pP]|[pP][^aA])'"
)

# What stands on the disk, wherever that is mounted.
ON_DISK: Mapping[str, str] = MappingProxyType(
    {
        "accounts": "cat etc/passwd",
        "groups": "cat etc/group",
        "services": f"{_UNITS} | lines --include='*.service' -e '^Exec[A-Za-z]*='"
        " && there etc/systemd | xargs -0 -r -I {} find {} -type l",
        "timers": f"{_UNITS} | lines --include='*.timer' -e '^(On[A-Za-z]*|Unit)='",
        "cron": f"there etc/crontab etc/anacrontab etc/cron.* var/spool/cron | lines --exclude-dir='at*' {_SETTING}",
        "at_jobs": "there var/spool/cron/atjobs var/spool/at | xargs -0 -r -I {} find {} -type f",
        "backup_jobs": f"{_BACKUPS} | lines {_HOOK}",
        # What a Samba domain hands out, and what its directory holds; without ldbsearch the list fails.
        "directory": "there var/lib/samba/sysvol | xargs -0 -r -I {} find {} -type f '(' -ipath '*/scripts/*'"
        " -o -iname ScheduledTasks.xml -o -iname GptTmpl.inf -o -iname Registry.pol ')'"
        " && if [ -f var/lib/samba/private/sam.ldb ]; then"
        " ldbsearch -H var/lib/samba/private/sam.ldb '(|(adminCount=1)(scriptPath=*)(sIDHistory=*)(gPLink=*)"
        "(cn=AdminSDHolder))' adminCount scriptPath sIDHistory gPLink nTSecurityDescriptor; fi",
        "authorized_keys": f"there root/.ssh home/*/.ssh etc/ssh | lines --include='authorized_keys*' {_SETTING}",
        "shell_startup": "there etc/profile etc/profile.d etc/bash.bashrc etc/environment etc/ld.so.preload"
        " etc/rc.local root/.profile root/.bashrc root/.bash_profile root/.zshrc home/*/.profile home/*/.bashrc "
        f" home/*/.bash_profile home/*/.zshrc | lines {_SETTING}",
        "boot_modules": f"there etc/modules etc/modules-load.d | lines {_SETTING}",
        "resolver": f"there etc/hosts etc/resolv.conf | lines {_SETTING}",
        "patch_level": "cat etc/os-release && if [ -r var/lib/dpkg/status ]; then"
        " awk '/^Package: /{name=$2} /^Version: /{print name, $2}' var/lib/dpkg/status;"
        ' else rpm --root "$PWD" -qa; fi',
    }
)
# What only the running system knows; asked where the root that is looked at is the machine's own.
RUNNING: Mapping[str, str] = MappingProxyType(
    {
        "listening": "ss -H -tuln",
        "established": "ss -H -tn state established",
        "modules": "cut -d ' ' -f 1 /proc/modules",
        "kernel": "uname -r",
        "processes": "cat /proc/[0-9]*/comm 2>/dev/null; [ -r /proc/1/comm ]",
    }
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What an inspection looks at. `paths` are read below `root`; `markers` are file name patterns of ransomware.

    `windows_paths` are those of a Windows host, below its system drive. `edr` names the process of the EDR by class.
    """

    root: str = "/"
    paths: tuple[str, ...] = ("etc", "usr/local", "home", "root", "opt", "srv", "var/spool/cron", "boot")
    windows_paths: tuple[str, ...] = WINDOWS_PATHS
    markers: tuple[str, ...] = ("RANSOM_NOTE.txt", "*.locked", "implant")
    files_max: int = 200_000
    lists: Mapping[str, str] = field(default_factory=lambda: {**ON_DISK, **RUNNING})
    edr: Mapping[str, str] = field(default_factory=dict)

    def script(self, token: str) -> str:
        """The script of one look; `token` opens each section, so that no file's content can.

        After its `wanted` line it reads from its input the paths of files to send, one a line, until the input ends.
        """
        paths = " ".join(shlex.quote(path) for path in self.paths)
        names = " -o ".join(f"-name {shlex.quote(pattern)}" for pattern in self.markers)
        find = f"find {paths} -xdev"
        sections = [_FUNCTIONS, f"cd {shlex.quote(self.root)} || exit 70"]
        for name, command in self.lists.items():
            tried = f"( {command}\n) || echo {token} failed {name}"
            sections.append(f"echo {token} {name}; {{ {tried}; }} | head -c {LIST_BYTES_MAX}")
        sections += [
            f"echo {token} markers; {find} \\( {names} \\) -print0 2>/dev/null | head -z -n {MARKERS_MAX}",
            f"echo {token} files; {find} -type f -print0 | head -z -n {self.files_max + 1}"
            " | xargs -0 -r sha256sum -z --",
            f"echo {token} wanted",
            'while IFS= read -r path; do if [ -f "$path" ] && [ ! -L "$path" ]; then'
            f' echo {token} sample; head -c {SAMPLE_BYTES_MAX} "$path"; fi; done | head -c {SAMPLES_BYTES_MAX}',
            f"echo {token} end",
        ]
        return "\n".join(sections)
