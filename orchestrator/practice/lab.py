"""Lays the lab down, breaks it, and takes it away again: real services on hosts of their own, in namespaces.

Never touches anything but its own folder, its cache, and namespaces it named; and never runs without root, which
namespaces need. `up` leaves behind what a drill starts from: an estate, people's keys, secrets, and a running lab.
"""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from glob import glob
from hashlib import sha256
from pathlib import Path
from typing import Any

from orchestrator.clock import SystemClock
from orchestrator.engine.process import lay_out
from orchestrator.errors import Unusable, UsageError
from orchestrator.plans.files import usable
from orchestrator.plans.lay_down import reference_estate
from orchestrator.plans.model import Content, Person, Roster
from orchestrator.practice import fleet_launch, lab_services, ransomware
from orchestrator.practice.fleet_disk import public_line
from orchestrator.practice.fleet_file import FleetFile, FleetHost, FleetSite, Folders, write_whole
from orchestrator.practice.lab_ground import SECRETS, WAS, Lab, lab_content
from orchestrator.practice.lab_host import LabHost
from orchestrator.practice.lab_net import Network
from orchestrator.practice.lab_place import way_in
from orchestrator.practice.rehearsal import PEOPLE
from orchestrator.trust import keys

PORT = 22
FOREVER_S = 1e9
UNREAD = "cannot be read"
AT_ONCE = 4
FOLDER = "drill-lab"
FLEET, ESTATE, STATE = "fleet", "estate", "state"
KNOWN = "known_hosts"  # the hosts' own keys, for checks by hand while no restore has pinned another
MODULE = "lab_fleet"
PERSISTENCE = ("etc/cron.d/update-helper", "*/5 * * * * root /opt/update-helper\n")
INDICATOR = ("opt/update-helper", "#!/bin/sh\n# relance practice: what an indicator names\n")
Say = Callable[[str], None]


def lacking() -> str:
    """Why no lab can be run on this machine, as a sentence; empty when nothing is lacking."""
    if os.geteuid() != 0:
        return "The lab needs root: its hosts are network namespaces. Run it as root, or practise with `relance drill`."
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    packages = [package for name, package in lab_services.PROGRAMS.items() if not shutil.which(name, path=path)]
    packages += [package for package, files in lab_services.FILES.items() if not glob(files)]
    if packages:
        return f"The lab needs Debian packages that are not installed: {' '.join(packages)}. `make lab` installs them."
    if importlib.util.find_spec("hl7") is None:
        return "The lab's interface engine needs the Python package hl7: install relance with its extra `lab`."
    return ""


def up(root: Path, say: Say) -> None:
    """Lays down a lab in `root` and starts it. Raises Unusable, and then leaves nothing."""
    why = lacking()
    if why:
        raise Unusable(why, rule="lab.machine")
    if root.exists() and any(root.iterdir()):
        raise UsageError(f"{root} is not empty; `relance lab down --state {root}` takes a lab away.", path=str(root))
    stands = False
    try:
        _up(root, say)
        stands = True
    finally:
        if not stands:
            down(root)


def _up(root: Path, say: Say) -> None:
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    root.chmod(0o755)
    fleet = root / FLEET
    lay_out(root / STATE)
    client = keys.generate(root / STATE / "secrets" / "ssh_key")
    content = _content(root)
    _fleet_file(content, client.line).save(_made(fleet))
    Folders(fleet).make()
    shutil.copy(root / STATE / "secrets" / "ssh_key", fleet / "keys" / "client")
    golden = _Golden(say)
    write_whole(fleet / SECRETS, json.dumps(golden.secrets).encode(), 0o600)
    lab = Lab(fleet, SystemClock().now_us)
    hosts = {host.id: host.address for host in lab.file.hosts}
    lab.network.up(hosts, [*(host.management for host in lab.file.hosts), *(site.gate for site in lab.file.sites)])
    _authority(_made(fleet / "authority"))
    lab.vault.create()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda host: _lay(lab, golden, host), lab.hosts.values()):
            pass
    golden.keep()
    control = fleet / "enter" / "control"
    write_whole(control, way_in(lab.network, "control").encode(), 0o755)
    _secrets(root / STATE / "secrets", fleet, golden.secrets)
    fleet_launch.launch(fleet, limit_s=90, module=MODULE)
    pins = (fleet / "known_hosts").read_bytes()
    write_whole(root / STATE / "secrets" / "management_hosts", pins, 0o600)
    remember(lab)
    lines = (f"{one.address} {public_line(lab.folders.key('host', one.id))}\n" for one in lab.file.hosts)
    write_whole(root / KNOWN, "".join(lines).encode())


def _lay(lab: Lab, golden: _Golden, host: LabHost) -> None:
    """One host: its disk, filled; the image it can be made from anew; its backup."""
    ground, place = lab.ground(), host.place
    place.prepare()
    golden.lay(host)
    lab_services.fill(host.role, place, ground)
    if not host.spec.services or host.role == "backup-server":
        shutil.copytree(host.disk, lab.root / "images" / host.spec.id, symlinks=True)
    lab.vault.save(place)


class _Golden:
    """The cache: disks that are slow to make, with the secrets in them, kept for every later lab."""

    def __init__(self, say: Say) -> None:
        home = os.environ.get("RELANCE_LAB_CACHE") or Path.home() / ".cache" / "relance" / "lab"
        made_by = Path(lab_services.__file__).read_bytes() + (lab_content() / "lis.sql").read_bytes()
        self._folder = _made(Path(home) / sha256(made_by).hexdigest()[:12])
        self._say = say
        self._new: list[LabHost] = []
        found = self._folder / SECRETS
        self.secrets: Mapping[str, str] = (
            json.loads(found.read_bytes())
            if found.exists()
            else {name: f"Practice-{secrets.token_urlsafe(12)}" for name in ("directory", "reader", "engine")}
        )

    def lay(self, host: LabHost) -> None:
        """Fills a disk from the cache, or makes it and keeps it there."""
        lay = lab_services.ROLES[host.role].lay
        kept = self._folder / f"{host.role}.tar"
        if lay is None:
            return
        if kept.exists() and (self._folder / SECRETS).exists():
            _tar("-xf", kept, host.disk)
            return
        self._say(f"Making {host.spec.id} for the first time; it is kept in {self._folder}.")
        ground = Lab(host.folders.root, host.now_us).ground()
        lab_services.fill(host.role, host.place, ground, bare=True)
        lay(host.place, ground)
        _tar("-cf", kept, host.disk)

    def keep(self) -> None:
        """What was made is whole: later labs may begin from it."""
        write_whole(self._folder / SECRETS, json.dumps(dict(self.secrets)).encode(), 0o600)


def _tar(how: str, kept: Path, disk: Path) -> None:
    words = ["tar", "--numeric-owner", "--xattrs", "--acls", "-C", str(disk), how, str(kept)]
    words += ["."] if "c" in how else []
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        kept.unlink(missing_ok=True)
        raise Unusable(f"The lab's cache {kept} cannot be used: {done.stderr.strip()[-200:]}", path=str(kept))


def come_to(lab: Lab) -> dict[str, str]:
    """What the data of each host come to now, or why that cannot be said."""
    ground, found = lab.ground(), dict[str, str]()
    for host in lab.hosts.values():
        try:
            found[host.spec.id] = lab_services.ROLES[host.role].digest(host.place, ground)
        except (Unusable, OSError, ValueError) as error:
            found[host.spec.id] = f"{UNREAD}: {error}"
    return found


def remember(lab: Lab) -> None:
    """Keeps what the data come to, for a drill to compare. Raises Unusable where that cannot be said."""
    was = come_to(lab)
    for host, data in was.items():
        if data.startswith(UNREAD):  # else a drill would find the same words afterwards, and call them the same data
            raise Unusable(f"The data of {host} {data}.", host=host)
    write_whole(lab.root / WAS, json.dumps(was).encode())


def strike(root: Path) -> int:
    """Ransomware: kills the services of every host, encrypts what they hold, leaves a note, a job and an implant."""
    lab = Lab(root / FLEET, SystemClock().now_us)
    for host in lab.hosts.values():
        lab.network.kill(host.spec.id)
    (lab.root / ransomware.STRUCK).unlink(missing_ok=True)
    struck = ransomware.strike(lab.root, lab.file)
    for host in lab.hosts.values():
        for name, text in (PERSISTENCE, INDICATOR):
            lab_services.write(host.place, name, text)
    return struck


def status(root: Path) -> dict[str, Any]:
    """How each host stands: its side of the switch, its disk, its processes; and what software it all is."""
    lab = Lab(root / FLEET, SystemClock().now_us)
    released = lab.network.released()
    hosts = {
        host.spec.id: {
            "service": host.role,
            "address": host.spec.address,
            "network": "production" if host.spec.address in released else "quarantine",
            "disk": _disk(host),
            "processes": len(lab.network.pids(host.spec.id)),
        }
        for host in lab.hosts.values()
    }
    running = fleet_launch.ready(lab.root) is not None
    return {"running": running, "hosts": hosts, "packages": lab_services.packages()}


def _disk(host: LabHost) -> str:
    if (host.disk / ransomware.NOTE).exists():
        return "encrypted"
    return "whole" if host.place.is_whole else "wiped"


def down(root: Path) -> None:
    """Ends the lab and removes its namespaces and its folder."""
    fleet = root / FLEET
    if not fleet.exists():
        raise UsageError(f"There is no lab in {root}.", path=str(root))
    fleet_launch.stop(fleet)
    Network(fleet).down()
    shutil.rmtree(root)


def _content(root: Path) -> Content:
    """The lab's estate, in a folder of its own, with fresh keys for its people."""
    for name in ("inventory", "plans", "checks"):
        shutil.copytree(lab_content() / name, root / ESTATE / name)
    shutil.copytree(reference_estate() / "plans" / "playbooks", root / ESTATE / "plans" / "playbooks")
    folder = _made(root / "keys", 0o700)
    persons = tuple(
        Person(id=person, roles=roles, key=keys.generate(folder / person).line) for person, roles in PEOPLE.items()
    )
    roster = Roster(persons=persons).model_dump(mode="json", exclude_defaults=True)
    (root / ESTATE / "plans" / "roster.json").write_text(json.dumps(roster, indent=1))
    return usable(root / ESTATE)


def _fleet_file(content: Content, client: str) -> FleetFile:
    inventory = content.inventory
    return FleetFile(
        network="10.77.", ssh_port=PORT, http_port=80, client_key=client, idle_s=FOREVER_S, restore_ms=(0, 0),
        restore_point_us=SystemClock().now_us(),
        sites=tuple(
            FleetSite(id=site.id, gate=site.gate.partition(":")[0], prober=site.prober or "", control=site.control)
            for site in inventory.sites
        ),
        hosts=tuple(
            FleetHost(
                id=host.id, kind=host.kind, site=host.site, address=host.address, management=host.management,
                services=host.services, **{"class": host.klass},
            )
            for host in inventory.hosts
        ),
    )  # fmt: skip


def _secrets(folder: Path, fleet: Path, known: Mapping[str, str]) -> None:
    """What checks refer to."""
    write_whole(folder / "lis-reader", known["reader"].encode(), 0o600)
    write_whole(folder / "site-ca.pem", (fleet / "authority" / "ca.pem").read_bytes(), 0o600)


def _authority(folder: Path) -> None:
    """The site's authority, which signs the certificates of its services."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "99")
    files = ("-keyout", str(folder / "ca.key"), "-out", str(folder / "ca.pem"))
    words = ["openssl", "req", "-x509", *curve, "-subj", "/CN=Lab site authority", *files]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    if done.returncode:
        raise Unusable(f"openssl failed: {done.stderr.strip()[-200:]}")


def _made(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    return folder
