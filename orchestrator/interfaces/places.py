"""Finds the estate and the state folder a command is about.

Never reads what is in them.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from orchestrator.errors import UsageError


def estate_of(options: argparse.Namespace) -> Path:
    """The folder of content: `--estate`, else $RELANCE_ESTATE, else here, else the packaged reference."""
    named = options.estate or os.environ.get("RELANCE_ESTATE", "")
    if named:
        if not Path(named).is_dir():
            raise UsageError(f"There is no folder {named}.", rule="usage.estate", estate=named)
        return Path(named).absolute()
    return Path.cwd() if Path("inventory").is_dir() else _reference()


def state_of(options: argparse.Namespace) -> Path:
    """The state folder: `--state`, else `.relance` in the estate; the packaged estate keeps none."""
    if options.state:
        return Path(options.state).absolute()
    estate = estate_of(options)
    if estate == _reference():
        raise UsageError("The packaged reference keeps no state: name a folder with --state.", rule="usage.state")
    return estate / ".relance"


def _reference() -> Path:
    # Imported here alone: most commands name an estate, and reading content costs a third of a second.
    from orchestrator.plans.lay_down import reference_estate

    return reference_estate()
