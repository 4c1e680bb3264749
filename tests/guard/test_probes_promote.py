"""Probes let a release go on only where the user said so, also when no user comes at all."""

from __future__ import annotations

import pytest

from underway.guard.evidence import Baseline, Outcome
from underway.guard.judge import judge
from underway.guard.observe import begin, observe, tick
from underway.guard.policy import Policy, WhenQuiet
from underway.terms.verdict import Action


@pytest.mark.parametrize(("may", "action"), [(True, Action.ADVANCE), (False, Action.INCONCLUSIVE)])
def test_a_release_with_probes_and_no_users(may: bool, action: Action) -> None:
    policy = Policy(steps=(0.2,), when_quiet=WhenQuiet.PROBE, probes_may_promote=may)
    state = begin(policy, Baseline(), 0.0)
    verdict = judge(policy, state)
    for now in range(1, 2400):
        if now % 10 == 0:
            probe = Outcome(is_candidate=True, weight=0.0, failed=False, latency_ms=5.0, is_probe=True)
            observe(policy, state, probe)
        tick(policy, state, float(now))
        verdict = judge(policy, state)
        if verdict.action is not Action.WAIT:
            break
    assert verdict.action is action
    assert ("not enough traffic" in verdict.because) is (not may)
