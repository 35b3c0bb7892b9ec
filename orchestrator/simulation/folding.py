"""Folds what a restart asks again and again into one event: N polls in a row become one, after the time they take.

Never changes an order of things or a duration: the same gates pass at the same times, with fewer events on the way.
"""

from __future__ import annotations

from orchestrator.decision.estate import Estate
from orchestrator.plans.model import Content, Plan

SECOND = 1_000_000
NEVER_S = 10**9  # an interval that never makes a reading stale


def folded(content: Content, plan: Plan) -> Estate:
    """The same estate where one PASS is enough and stays fresh."""
    waves = tuple(wave.model_copy(update={"gate": wave.gate.model_copy(update={"passes": 1})}) for wave in plan.waves)
    return Estate(folded_content(content), plan.model_copy(update={"waves": waves}))


def folded_content(content: Content) -> Content:
    """The same content where one PASS is enough and stays fresh."""
    checks = tuple(check.model_copy(update={"interval_s": NEVER_S}) for check in content.checks)
    classes = tuple(klass.model_copy(update={"counts_for_s": NEVER_S}) for klass in content.classes)
    timing = content.restart.timing.model_copy(update={"passes": 1, "in_service_passes": 1})
    restart = content.restart.model_copy(update={"timing": timing})
    return content.model_copy(update={"checks": checks, "classes": classes, "restart": restart})


def delays(content: Content, plan: Plan) -> dict[str, int]:
    """Until the last PASS in a row that is asked of each subject, microseconds; hosts under `class:ID`."""
    passes: dict[str, int] = {}
    for wave in plan.waves:
        for subject in (
            *(f"service:{one}" for one in wave.gate.services),
            *(f"interface:{one}" for one in wave.gate.interfaces),
        ):
            passes[subject] = max(passes.get(subject, 1), wave.gate.passes)
    found: dict[str, int] = {}
    for check in content.checks:
        subject = (
            f"service:{check.service}" if check.service else f"interface:{check.interface}" if check.interface else ""
        )
        many = passes.get(subject, 1) if subject else content.restart.timing.in_service_passes
        subject = subject or f"class:{check.klass}"
        found[subject] = max(found.get(subject, 0), check.interval_s * many * SECOND)
    return found
