"""What is kept of how a release was judged: enough to show it, and to say it again years later."""

from __future__ import annotations

import msgspec

from underway.terms.app_error import ErrorCount
from underway.terms.route import LogOffset


class SideRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One release while it was judged. Quantiles in milliseconds, memory of its largest instance in bytes.

    `gone` requests were given up by the client, `left_out` came from monitors or routes that the manifest excludes.
    """

    release: str
    served: int = 0
    failed: int = 0
    gone: int = 0
    left_out: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    p99_ms: float = 0.0
    users_touched: int = 0
    memory_first_bytes: int = 0
    memory_last_bytes: int = 0
    memory_most_bytes: int = 0
    restarts: int = 0


class Moment(msgspec.Struct, array_like=True):
    """A stretch of time: when it began (seconds since the rollout did), the candidate's share of visitors, the requests
    of both releases within it, memory in bytes, and the evidence at its end, as `Record.measures` names it.
    """

    at_s: float
    share: float
    served: int = 0
    failed: int = 0
    p95_ms: float = 0.0
    stable_served: int = 0
    stable_failed: int = 0
    stable_p95_ms: float = 0.0
    memory_bytes: int = 0
    stable_memory_bytes: int = 0
    strengths: tuple[float, ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A release's evidence. Times are seconds since the epoch.

    `measures` names the kinds of evidence in every moment, `needed` what each needs to act. `p95_change` is 0.2 for
    20 % slower than the release it replaced, None with too few requests to say. `would_notice` is the usual error rate
    and the one that would have been told from it with 95 % probability. `log_from` and `log_to` are the stretch of the
    access log in which everything can be counted again.
    """

    began_at: float
    ended_at: float
    candidate: SideRecord
    stable: SideRecord | None = None
    every_s: float = 1.0
    moments: tuple[Moment, ...] = ()
    measures: tuple[str, ...] = ()
    needed: tuple[float, ...] = ()
    p95_change: float | None = None
    new_errors: tuple[ErrorCount, ...] = ()
    would_notice: tuple[float, float] | None = None
    memory_says: str = ""
    log_from: LogOffset = LogOffset()
    log_to: LogOffset = LogOffset()
