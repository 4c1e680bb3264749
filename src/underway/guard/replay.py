"""What the guard would have said of recorded requests: it watches, and the traffic stays as it was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from underway.guard.baseline import Baseline
from underway.guard.carry import go_to
from underway.guard.evidence import Outcome
from underway.guard.judge import judge
from underway.guard.observe import begin, observe, set_weight, tick
from underway.guard.policy import Policy
from underway.terms.verdict import Verdict


def replay(
    policy: Policy,
    baseline: Baseline,
    requests: Iterable[tuple[float, Outcome]],
    candidate: str = "the candidate",
    stable: str = "the old one",
) -> Iterator[tuple[float, Verdict]]:
    """Judge recorded requests, (time in seconds, outcome) in order of time; yield each verdict that says something new.

    The share of traffic is the recorded one: a larger share than before counts as the next step. Quiet seconds pass
    too, so a record with a gap is judged as the silence it was.
    """
    state = None
    second = said = None
    for at, outcome in requests:
        if state is None or second is None:
            state, second = begin(policy, baseline, at), at
            set_weight(state, outcome.weight)
        while at >= second + 1:
            second = second + 1 if at < second + 60 else at
            tick(policy, state, second)
            verdict = judge(policy, state, candidate, stable)
            if verdict.rule != said:
                said = verdict.rule
                yield second, verdict
        if outcome.weight != state.weight and outcome.weight > 0:
            if outcome.weight > state.weight:
                go_to(policy, state, state.step + 1)
            set_weight(state, outcome.weight)
        observe(policy, state, outcome)
    if state is not None and second is not None:
        tick(policy, state, second + 1)
        yield second + 1, judge(policy, state, candidate, stable)
