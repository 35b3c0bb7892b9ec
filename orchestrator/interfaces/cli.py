"""The command `relance`: reads the words typed, runs one command, and ends with the exit code of what happened.

Never does a command's work, and never shows a traceback for what a person typed or what a disk refused: every
failure is one sentence, or with `--format json` one document.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from orchestrator.errors import RelanceError, Unusable, UsageError
from orchestrator.interfaces.output import complain, wants_json

INTERRUPTED = 130

# Which module holds which command; only the one that is typed is imported.
_COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("cli_content", "lay down an estate to start from"),
    "review": ("cli_content", "find everything that is wrong with the content"),
    "plan": ("cli_content", "derive the waves; --why HOST explains one host's place"),
    "run": ("cli_process", "the live process: loop, API, metrics"),
    "simulate": ("cli_simulate", "seeded disasters around the core: nothing bad may happen, all must come back"),
    "forecast": ("cli_forecast", "when is each function back, and what would a decision change"),
    "drill": ("cli_process", "practise a whole restart on invented hosts"),
    "lab": ("cli_lab", "up, status, break, down: real services to practise on, in network namespaces"),
    "checks": ("cli_checks", "run: ask a function or a host by hand; explain: what a check proves"),
    "status": ("cli_reading", "waves, functions, pools, what waits and why"),
    "why": ("cli_reading", "why a host stands where it stands"),
    "exposure": ("cli_reading", "whom a host may have infected, with the reasons"),
    "queue": ("cli_desk", "what the analysts verify next; HOST: all there is to judge it by"),
    "tasks": ("cli_reading", "what the technicians do next, also as a sheet"),
    "orders": ("cli_reading", "orders that wait for a signature; --kinds lists who may order what"),
    "order": ("cli_orders", "sign ID: add a signature; make KIND SUBJECT: give any order"),
    "wave": ("cli_orders", "launch, hold, resume"),
    "content": ("cli_changes", "propose edited content; order: functions anew; split: set part of a wave apart"),
    "host": ("cli_orders", "retry, exclude, take-back, declare, recall, isolate"),
    "freeze": ("cli_orders", "stop reconnects, everywhere or at a site or for some hosts"),
    "thaw": ("cli_orders", "end a freeze"),
    "fact": ("cli_orders", "set or withdraw what is signed as true"),
    "roster": ("cli_roster", "add a person for some days, or revoke one; two sign"),
    "claim": ("cli_orders", "take a seat at a host before verifying it"),
    "task": ("cli_orders", "claim a task, report it done or failed"),
    "lot": ("cli_lots", "open a lot: workstations of one image are judged together"),
    "verdict": ("cli_verdicts", "sign a verdict, or file one signed elsewhere"),
    "checkin": ("cli_checkin", "write a script with which a host posts its own inspection, once"),
    "findings": ("cli_findings", "import what other tools found on hosts, as evidence"),
    "indicators": ("cli_indicators", "import what to look for; its cost; order it into force"),
    "evidence": ("cli_evidence", "what the latest inspection of a host saw, and what not"),
    "custody": ("cli_custody", "who holds what was preserved of a host; hand it over, seal it"),
    "golden": ("cli_evidence", "take HOST: what the files of its class should be"),
    "sweep": ("cli_evidence", "look through stored evidence for what would start later"),
    "audit": ("cli_keeping", "prove the journal whole and replay it"),
    "verify": ("cli_keeping", "check an exported journal"),
    "backup": ("cli_keeping", "copy the state folder consistently"),
}


class _Parser(argparse.ArgumentParser):
    """Raises instead of printing and exiting, so that a typing error is answered like any other."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. {self.format_usage().strip()}", rule="usage.words")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _answered(words)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        _drop_output()
        return 0
    except OSError as error:
        return _refused(error, wants_json(words))


def _answered(words: list[str]) -> int:
    try:
        return _run(words)
    except RelanceError as error:
        return complain(error, as_json=wants_json(words))


def _refused(error: OSError, as_json: bool) -> int:
    """Says what the system refused; on stderr where it was our output."""
    about = f"{error.filename}: " if error.filename else ""
    sentence = f"The system refused: {about}{error.strerror or error}. Mend that, then type the command again."
    told = Unusable(sentence, rule="machine.refused")
    try:
        code = complain(told, as_json=as_json)
        sys.stdout.flush()
    except OSError:
        _drop_output()
        code = complain(told, as_json=False)
    return code


def _drop_output() -> None:
    """What could not be printed goes nowhere; Python would complain once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(words: list[str]) -> int:
    options, rest = _globals().parse_known_args(words)
    if options.command not in _COMMANDS:
        raise UsageError(_unknown(options.command), rule="usage.command")
    parser = _Parser(prog="relance", add_help=False)
    commands = parser.add_subparsers(dest="command", required=True)
    module = importlib.import_module(f"orchestrator.interfaces.{_COMMANDS[options.command][0]}")
    module.add(commands)
    parser.parse_args([options.command, *options.words, *rest], options)
    code = options.call(options)
    sys.stdout.flush()
    return int(code)


def _globals() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {name:10} {what}" for name, (_, what) in _COMMANDS.items())
    parser = _Parser(
        prog="relance",
        description="Restarts a hospital after ransomware.",
        epilog=f"commands (each explains itself with --help):\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--estate", help="the folder of content (else $RELANCE_ESTATE, else here, else the reference)")
    parser.add_argument("--state", help="the state folder (else .relance in the estate)")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="json: one document on stdout")
    parser.add_argument("command", nargs="?", default="", metavar="COMMAND")
    parser.add_argument("words", nargs=argparse.REMAINDER, metavar="...")
    return parser


def _unknown(command: str) -> str:
    said = f"There is no command {command}." if command else "Which command?"
    return f"{said} Known are: {', '.join(_COMMANDS)}. `relance --help` explains them."


if __name__ == "__main__":
    sys.exit(main())
