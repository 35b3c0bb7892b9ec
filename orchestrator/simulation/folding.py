"""Folds what a restart asks again and again: of N polls in a row the first and the last are left, of a host's the last.

Never changes an order of things or a duration: the same gates pass at the same times, with fewer events on the way.
The first PASS is left because restores that need the service begin on it.
"""

from __future__ import annotations

from orchestrator.decision.estate import Estate
from orchestrator.plans.model import Content, Plan

SECOND = 1_000_000
NEVER_S = 10**9  # an interval that never makes a reading stale
LEFT = 2


def folded(content: Content, plan: Plan) -> Estate:
    """The same estate where two PASS are enough for a gate, one for a host, and stay fresh."""
    gates = [wave.gate.model_copy(update={"passes": min(wave.gate.passes, LEFT)}) for wave in plan.waves]
    waves = tuple(wave.model_copy(update={"gate": gate}) for wave, gate in zip(plan.waves, gates, strict=True))
    return Estate(folded_content(content), plan.model_copy(update={"waves": waves}))


def folded_content(content: Content) -> Content:
    """The same content where two PASS are enough for a gate, one for a host, and stay fresh."""
    checks = tuple(check.model_copy(update={"interval_s": NEVER_S}) for check in content.checks)
    classes = tuple(klass.model_copy(update={"counts_for_s": NEVER_S}) for klass in content.classes)
    passes = min(content.restart.timing.passes, LEFT)
    timing = content.restart.timing.model_copy(update={"passes": passes, "in_service_passes": 1})
    restart = content.restart.model_copy(update={"timing": timing})
    return content.model_copy(update={"checks": checks, "classes": classes, "restart": restart})


def delays(content: Content, plan: Plan) -> dict[str, tuple[int, int]]:
    """Until the first poll that is left of each subject, and from it to the last; microseconds; hosts as `class:ID`."""
    passes: dict[str, int] = {}
    for wave in plan.waves:
        for subject in (
            *(f"service:{one}" for one in wave.gate.services),
            *(f"interface:{one}" for one in wave.gate.interfaces),
        ):
            passes[subject] = max(passes.get(subject, 1), wave.gate.passes)
    found: dict[str, tuple[int, int]] = {}
    for check in content.checks:
        interval_us = check.interval_s * SECOND
        if check.klass:
            subject, polls = f"class:{check.klass}", (interval_us * content.restart.timing.in_service_passes, 0)
        else:
            subject = f"service:{check.service}" if check.service else f"interface:{check.interface}"
            polls = (interval_us, interval_us * (passes.get(subject, 1) - 1))
        found[subject] = max(found.get(subject, polls), polls)
    return found
