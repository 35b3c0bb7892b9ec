"""Every error Relance raises: a sentence to act on, the facts beside it, and the exit code it leads to.

Never logs, never prints, never swallows: the edge that talks to a person does that.
"""

from __future__ import annotations

from typing import ClassVar


class RelanceError(Exception):
    """Base of all errors. `sentence` is for a tired person; `facts` are JSON values for a program.

    `rule` names the rule that refused (such as `orders.two-persons`), empty where none applies.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 7

    def __init__(self, sentence: str, *, rule: str = "", **facts: object) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.rule = rule
        self.facts = facts

    def as_json(self) -> dict[str, object]:
        """The failure document printed by `--format json`: {"error": {code, rule, sentence, facts}}."""
        return {"error": {"code": self.code, "rule": self.rule, "sentence": self.sentence, "facts": self.facts}}


class ContentError(RelanceError):
    """The content (inventory, plans, checks) cannot be used; facts hold `file` and `line`."""

    code = "content"
    exit_code = 1


class UsageError(RelanceError):
    """The command was typed wrongly, or needs a live process and found none."""

    code = "usage"
    exit_code = 2


class Refused(RelanceError):
    """A rule forbids what was asked; nothing changed."""

    code = "refused"
    exit_code = 3


class NeedsAnother(RelanceError):
    """The order is stored but waits for another person; facts hold `order` and `missing_roles`."""

    code = "needs_another"
    exit_code = 4


class Conflict(RelanceError):
    """The subject changed after what the signer saw; facts hold the records in between."""

    code = "conflict"
    exit_code = 5


class InfectedFound(RelanceError):
    """Something infected was found where clean was required."""

    code = "infected"
    exit_code = 6


class Unusable(RelanceError):
    """The state folder or the machine cannot be used: held, full, read-only or damaged."""

    code = "unusable"
    exit_code = 7
