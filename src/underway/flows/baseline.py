"""What the running release was like before a rollout, learned from the proxy's access log."""

from __future__ import annotations

from collections import Counter as Tallies

from underway.guard.evidence import Baseline, Counts
from underway.guard.latency import bucket
from underway.guard.policy import Policy
from underway.observe.counting import Counting, Kind
from underway.ports.request_log import RequestLog
from underway.terms.route import LogOffset, Request

LOOK_BACK_S = 600.0
LOOK_BACK_BYTES = 8_000_000
"""About 25,000 requests: enough for every quantile that is used, read in well under a second."""
_SLICE_S = 30.0
_COUNTS = (Kind.GOOD, Kind.FAILED)


def learn_baseline(app: str, release: str, policy: Policy, counting: Counting, log: RequestLog, now: float) -> Baseline:
    """The release's error rate, slow rate, latency distribution and traffic over the last ten minutes."""
    end = log.end()
    offset = LogOffset(inode=end.inode, byte=max(0, end.byte - LOOK_BACK_BYTES))
    baseline = Baseline()
    slices: dict[int, list[Request]] = {}
    while offset != end:
        requests, after = log.read(offset)
        for request in requests:
            is_ours = request.app == app and request.release == release and request.at >= now - LOOK_BACK_S
            if is_ours and counting.kind(request) in _COUNTS:
                slices.setdefault(int(request.at // _SLICE_S), []).append(request)
        if after == offset or not requests:
            break
        offset = after
    if not slices:
        return baseline
    for number in range(min(slices), int(now // _SLICE_S) + 1):
        _learn_slice(baseline, slices.get(number, []), policy, counting)
    return baseline


def _learn_slice(baseline: Baseline, requests: list[Request], policy: Policy, counting: Counting) -> None:
    good = [request for request in requests if counting.kind(request) is Kind.GOOD]
    seen = Counts(
        stable=len(requests),
        stable_failed=len(requests) - len(good),
        stable_timed=len(good),
        stable_slow=sum(request.took_ms > policy.limits.p95_ms for request in good),
    )
    baseline.learn(seen, _SLICE_S)
    baseline.reference.learn(Tallies(bucket(request.took_ms) for request in good), _SLICE_S)
