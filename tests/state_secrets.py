"""Gives a state folder what `relance run` asks for before it starts: a login key and pinned management keys."""

from __future__ import annotations

from pathlib import Path

from orchestrator.trust import keys


def place_secrets(state_dir: Path) -> None:
    """Writes what is missing; the pins name an address that nothing answers at."""
    folder = state_dir / "secrets"
    for path in (state_dir, folder):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / "ssh_key").exists():
        keys.generate(folder / "ssh_key")
    pins = folder / "management_hosts"
    if not pins.exists():
        pins.touch(mode=0o600)
        pins.write_text(f"[127.0.0.9]:22 {(folder / 'ssh_key.pub').read_text()}")
