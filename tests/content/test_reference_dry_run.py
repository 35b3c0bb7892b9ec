"""Whether the reference estate can come back at all, in a world where nothing fails and everyone answers.

Never says how long it takes.
"""

from __future__ import annotations

import pytest

from orchestrator.decision.dryrun import DryRun
from orchestrator.decision.stages import Stage
from orchestrator.plans.model import Content, Plan


@pytest.mark.timeout(120)
def test_without_faults_every_host_comes_back_except_those_left_off(content: Content, plan: Plan) -> None:
    rehearsal = DryRun(content, plan)
    assert rehearsal.run() == []
    stages = zip(content.inventory.hosts, rehearsal.state.stage, strict=True)
    assert {host.id for host, stage in stages if stage is not Stage.IN_SERVICE} == set(content.restart.leave_off)
