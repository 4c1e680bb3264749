"""The verdict as a person reads it. Every number in a sentence is a count or a time that can be checked."""

from __future__ import annotations

from math import exp, log
from typing import assert_never

from underway.guard.baseline import Counts
from underway.guard.decide import QUESTION_GATE, QUESTION_S, Decision, Reason, least_step_s
from underway.guard.detectable import detectable_rate
from underway.guard.evidence import Evidence
from underway.guard.latency import bucket_ms
from underway.guard.policy import Policy
from underway.guard.rates import CLEAN, clean_requests_to_pass, grid


def number(count: float) -> str:
    return f"{count:,.0f}"


def percent(rate: float) -> str:
    """A share with two significant digits: 43 %, 4.1 %, 0.12 %."""
    value = 100 * rate
    if value >= 9.95:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 0.995 else f"{value:.2f} %"


def span(seconds: float) -> str:
    """A duration: 37 s, 4 min, 2 h, 9 days."""
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    if seconds < 172_800:
        return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days"


def worst_stretch(state: Evidence) -> tuple[Counts, float]:
    """The latest stretch of time in which the candidate looks worst against the stable release, and its seconds.

    The suffix of the recorded counts with the largest likelihood ratio of two error rates to one; all of them when the
    candidate never failed more.
    """
    best, best_score, since = state.total, 0.0, 0.0
    seen = Counts()
    for began_at, counts in reversed(state.bins):
        seen.add(counts)
        score = _two_rates(seen)
        if score > best_score:
            best, best_score, since = Counts(), score, began_at
            best.add(seen)
    return best, max(state.clock - since, 1.0)


def _two_rates(seen: Counts) -> float:
    if not seen.candidate or not seen.stable:
        return 0.0
    mine, theirs = seen.candidate_failed / seen.candidate, seen.stable_failed / seen.stable
    if mine <= theirs:
        return 0.0
    pooled = (seen.candidate_failed + seen.stable_failed) / (seen.candidate + seen.stable)
    return (
        _log_likelihood(mine, seen.candidate_failed, seen.candidate)
        + _log_likelihood(theirs, seen.stable_failed, seen.stable)
        - _log_likelihood(pooled, seen.candidate_failed + seen.stable_failed, seen.candidate + seen.stable)
    )


def _log_likelihood(rate: float, failed: int, of: int) -> float:
    return (failed * log(rate) if failed else 0.0) + ((of - failed) * log(1 - rate) if failed < of else 0.0)


def failures(state: Evidence, candidate: str, stable: str) -> str:
    """ "7 of 38 requests failed on B, 1 of 912 on A in the same 37 s"."""
    seen, seconds = worst_stretch(state)
    mine = f"{number(seen.candidate_failed)} of {number(seen.candidate)} requests failed on {candidate}"
    if not seen.stable:
        return f"{mine} in {span(seconds)}"
    return f"{mine}, {number(seen.stable_failed)} of {number(seen.stable)} on {stable} in the same {span(seconds)}"


def slowness(policy: Policy, state: Evidence, candidate: str, stable: str) -> str:
    """ "p50 130 ms and p95 410 ms on B, 62 ms and 190 ms on A; most of all GET /cart: typically 220 ms, 45 ms on A"."""
    times = policy.margins.slower_ask
    mine, theirs = state.candidate_reference, state.baseline.reference
    return (
        f"p50 {times * mine.quantile_ms(0.5):.0f} ms and p95 {times * mine.quantile_ms(0.95):.0f} ms on {candidate}, "
        f"{theirs.quantile_ms(0.5):.0f} ms and {theirs.quantile_ms(0.95):.0f} ms on {stable}"
        f"{_slowest_route(times, state, stable)}"
    )


def _slowest_route(times: float, state: Evidence, stable: str) -> str:
    """The route that says most of the slowness, where there is more than one. Typical is the geometric mean."""
    known = [(seen.gain, route, seen) for route, seen in state.routes.items() if route and seen.gain > 0]
    if len(state.routes) < 2 or not known:
        return ""
    _, route, seen = max(known, key=lambda each: each[:2])
    mine = times * bucket_ms(seen.candidate_places / seen.candidate + 0.5)
    theirs = bucket_ms(seen.stable_places / seen.stable + 0.5)
    return f"; most of all {route}: typically {mine:.0f} ms, {theirs:.0f} ms on {stable}"


def chance(alpha: float) -> str:
    return f"a healthy release would look this bad less than once in {1 / alpha:.0f} rollouts"


def upper_bound(policy: Policy, state: Evidence) -> float:
    """The error rate that the candidate's own requests rule out with confidence 1 − β (Wald's ratio, inverted)."""
    failed, good = state.total.candidate_failed, state.total.candidate - state.total.candidate_failed
    seen = failed / state.total.candidate if state.total.candidate else 0.0
    low, high = seen, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        hoped = max(seen, middle * CLEAN)
        strength = failed * log(hoped / middle) + good * log((1 - hoped) / max(1 - middle, 1e-12))
        low, high = (low, middle) if strength >= -log(policy.beta) else (middle, high)
    return high


def because(policy: Policy, state: Evidence, decision: Decision, candidate: str, stable: str) -> str:
    """The one sentence."""
    total = state.total
    match decision.reason:
        case Reason.UNHEALTHY:
            said = f": {state.health.said}" if state.health.said else ""
            return f"{state.health.candidate_in_a_row} health checks in a row failed on {candidate}{said}"
        case Reason.MEMORY_OVER:
            used = ", ".join(f"{size / 1e6:.0f}" for size in state.memory.last)
            limit = policy.limits.memory_bytes / 1e6
            return f"{candidate} used {used} MB in its last three samples, over the limit of {limit:.0f} MB"
        case Reason.MEMORY_SOON:
            return (
                f"the memory of {candidate} grows steadily and reaches the limit of"
                f" {policy.limits.memory_bytes / 1e6:.0f} MB in about {span(state.memory_left_s or 0.0)}"
            )
        case Reason.MORE_ERRORS:
            return f"{failures(state, candidate, stable)}; {chance(policy.alpha_worse)}"
        case Reason.SLOWER:
            return f"{slowness(policy, state, candidate, stable)}; {chance(policy.alpha_worse)}"
        case Reason.PROBES_FAIL:
            return f"{state.probes.candidate_failed} of {state.probes.candidate} probes of {candidate} failed"
        case Reason.BREAKS_BOTH:
            return (
                f"both releases went over a limit whenever {candidate} had traffic, {state.withdrawal.breaks + 1} times"
                f" in a row, and recovered each time without it"
            )
        case Reason.LIMIT_SUSPECTED:
            return f"{failures(state, candidate, stable)}; a few more requests will tell whose fault it is"
        case Reason.WITHDRAW:
            return (
                f"{over_limit(policy, state, candidate)}, and it cannot be told whose fault it is:"
                f" {candidate} leaves traffic to see whether the trouble leaves with it"
            )
        case Reason.WITHDRAWN:
            return f"{candidate} is out of traffic until {stable} has been calm for a while"
        case Reason.COME_BACK:
            return f"{stable} is calm: {candidate} comes back with a small share"
        case Reason.NARROW:
            return (
                f"{number(total.candidate_failed)} of {number(total.candidate)} requests failed on {candidate},"
                f" more than is usual: it keeps a small share while both are compared"
            )
        case Reason.QUESTIONED:
            return f"{candidate} has a small share while both are compared"
        case Reason.RESUME:
            return f"{candidate} did no worse than {stable} at a small share: the step goes on"
        case Reason.NO_CALM:
            return f"limits broke {state.withdrawal.times} times on both releases; nothing can be told of {candidate}"
        case Reason.FEW_CLIENTS:
            return (
                f"{number(total.candidate_failed)} failures on {candidate}, all of {state.clients_failed}"
                f" {'client' if state.clients_failed == 1 else 'clients'}: too few people to blame the release"
            )
        case Reason.A_LITTLE_SLOWER:
            return (
                f"{slowness(policy, state, candidate, stable)}: slower, but two processes are never quite alike;"
                f" a person decides"
            )
        case Reason.LEANS:
            return f"{failures(state, candidate, stable)}; not enough to act on, too much to go on"
        case Reason.DARK:
            return f"{candidate} is live for those who ask for it, for nobody else"
        case Reason.STEP_YOUNG | Reason.NEEDS_REQUESTS:
            return f"{failures(state, candidate, stable)}: nothing to act on so far"
        case Reason.WIDEN:
            return f"too few requests reach {candidate}: its share is doubled"
        case Reason.OPEN:
            return f"{failures(state, candidate, stable)}: well so far, it gets the step's whole share"
        case Reason.STEP_PASSED if state.weight <= 0:
            return f"{candidate} was live for those who asked for it; it may have its first visitors"
        case Reason.STEP_PASSED:
            gate = percent(policy.gate(state.step))
            return f"{failures(state, candidate, stable)}; {gate} more errors than on {stable} are ruled out"
        case Reason.QUIET:
            return (
                f"not enough traffic: {number(total.candidate)} requests, {number(total.candidate_failed)} failed;"
                f" the error rate is below {percent(upper_bound(policy, state))}"
            )
        case Reason.QUIET_ADVANCE:
            return (
                f"not enough traffic to be sure, going on as asked: the error rate is below"
                f" {percent(upper_bound(policy, state))}"
            )
        case Reason.BAKING:
            return f"{candidate} has all traffic and is watched"
        case Reason.DONE:
            return good_news(policy, state, candidate, stable)
        case _:
            assert_never(decision.reason)


def over_limit(policy: Policy, state: Evidence, candidate: str) -> str:
    watch, limits = state.limits, policy.limits
    if watch.candidate_slow.strength > watch.candidate_errors.strength:
        return f"more than 5 % of requests took longer than {limits.p95_ms:.0f} ms on {candidate}"
    return f"more than {percent(limits.error_rate)} of requests failed on {candidate}"


def good_news(policy: Policy, state: Evidence, candidate: str, stable: str) -> str:
    """What was seen of a good release, and what would have been noticed."""
    total = state.total
    sentence = f"{number(total.candidate_failed)} of {number(total.candidate)} requests failed on {candidate}"
    rate = detectable_rate(policy, state)
    if rate is None:
        return sentence + "; there was too little traffic beside the old release to compare them"
    return (
        f"{sentence}; at this traffic a rise of the error rate from {percent(state.baseline.error_rate)} to"
        f" {percent(rate)} would have been noticed with 95 % probability"
    )


def waiting_for(policy: Policy, state: Evidence, decision: Decision) -> str:
    """What a waiting verdict waits for, and about how long."""
    age_s = state.clock - state.step_at
    match decision.reason:
        case Reason.DARK:
            return f"the step's {span(policy.step_s)}: {span(policy.step_s - age_s)} more"
        case Reason.STEP_YOUNG:
            least_s = least_step_s(policy, state)
            return f"the step's {span(least_s)}: {span(least_s - age_s)} more"
        case Reason.BAKING:
            return f"{span(policy.bake_s - age_s)} more of watching at 100 %"
        case Reason.NEEDS_REQUESTS:
            return _requests(policy, state, state.step)
        case Reason.QUESTIONED:
            asked_s = state.clock - (state.withdrawal.returned_at or 0.0)
            return _requests(policy, state, QUESTION_GATE) or f"{span(QUESTION_S - asked_s)} more of comparing"
        case Reason.LEANS | Reason.LIMIT_SUSPECTED | Reason.FEW_CLIENTS:
            return "more requests, until the evidence points one way"
        case Reason.WITHDRAWN:
            return "the stable release to be calm"
        case _:
            return ""


def _requests(policy: Policy, state: Evidence, step: int) -> str:
    gate, base = state.gates[min(step, len(state.gates) - 1)], state.baseline
    more = max(
        clean_requests_to_pass(policy.gate(step), grid(base.error_rate), policy.beta, gate.errors),
        clean_requests_to_pass(policy.gate(step), grid(base.slow_rate), policy.beta, gate.slow),
    )
    pace = base.per_s * state.weight
    if not more:
        return ""
    plural = "request" if more == 1 else "requests"
    return f"{more} more {plural}" + (f" at this pace: {span(more / pace)}" if pace > 0 else "; none are coming")


def log_times(strength: float) -> float:
    """e to the power of a gate's log strength, kept finite."""
    return exp(min(strength, 50.0))
