"""What a rollout will be able to tell: both releases over time, new errors, users touched, and the record of it all."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from underway.errors.read import TraceReader
from underway.guard.detectable import detectable_rate
from underway.guard.evidence import Evidence
from underway.guard.judge import strengths
from underway.guard.memory import slope
from underway.guard.policy import Policy
from underway.guard.words import percent
from underway.observe.chronicle import Chronicle, Side, is_visitors
from underway.observe.counting import Kind
from underway.ports.drivers import Drivers
from underway.terms.app_error import AppError, ErrorCount
from underway.terms.process import Instance
from underway.terms.record import Record
from underway.terms.route import LogOffset, Request
from underway.terms.verdict import Action, Verdict

LOOK_BACK_BYTES = 256_000
"""So much of what the stable release wrote before the rollout tells which errors are old."""
ERRORS_KEPT = 200
ERRORS_SAID = 3
ERRORS_RECORDED = 20


class Heard(msgspec.Struct):
    """Errors of one release: how far each instance's output was read, each error once, and how often it came."""

    read_to: dict[str, int] = msgspec.field(default_factory=dict)
    errors: dict[str, AppError] = msgspec.field(default_factory=dict)
    times: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, error: AppError) -> None:
        known = self.errors.setdefault(error.fingerprint, error) if len(self.errors) < ERRORS_KEPT else error
        if known.fingerprint in self.errors:
            self.times[known.fingerprint] = self.times.get(known.fingerprint, 0) + 1


class Told(msgspec.Struct):
    """What survives the agent, together with the evidence."""

    chronicle: Chronicle = msgspec.field(default_factory=Chronicle)
    candidate: Heard = msgspec.field(default_factory=Heard)
    stable: Heard = msgspec.field(default_factory=Heard)
    log_from: LogOffset = LogOffset()

    def new_errors(self) -> tuple[ErrorCount, ...]:
        """Those of the candidate that the stable release does not know, the most frequent first."""
        found = [
            ErrorCount(error=error, times=self.candidate.times[name])
            for name, error in self.candidate.errors.items()
            if name not in self.stable.errors
        ]
        return tuple(sorted(found, key=lambda each: (-each.times, each.error.fingerprint))[:ERRORS_RECORDED])


def begin_telling(now: float, log_from: LogOffset) -> Told:
    """Nothing yet, of a rollout that begins now and reads the log from there."""
    return Told(chronicle=Chronicle(began_at=now), log_from=log_from)


class Telling:
    """Gathers for one rollout. `told` is kept by the rollout, whole with its evidence."""

    def __init__(self, app: str, candidate: str, stable: str, policy: Policy, told: Told, on: Drivers) -> None:
        self.told = told
        self._app, self._candidate, self._stable, self._policy, self._on = app, candidate, stable, policy, on
        self._secrets = tuple(secret.reveal() for secret in on.vault.values(app).values())
        self._readers: dict[str, TraceReader] = {}
        self._at: dict[str, int] = {}

    def count(self, request: Request, kind: Kind, is_candidate: bool) -> None:
        """A request of either release."""
        if is_visitors(request, is_candidate):
            self.told.chronicle.side(is_candidate).add(request, kind)

    def note(self, evidence: Evidence) -> None:
        """A tick of the guard passed."""
        values = tuple(float(f"{it.value:.4g}") for it in strengths(self._policy, evidence))
        chronicle = self.told.chronicle
        for release, side, heard in self._sides():
            instances = [i for i in self._on.runtime.instances(self._app) if i.spec.release == release]
            samples = [self._on.runtime.sample(i.spec.id) for i in instances]
            memory = max((sample.rss_bytes for sample in samples if sample), default=0)
            side.note(memory, sum(i.restarts for i in instances))
            self._listen(heard, instances, is_candidate=release == self._candidate)
        chronicle.note(self._on.clock.now(), evidence.weight, values)

    def _sides(self) -> Sequence[tuple[str, Side, Heard]]:
        told = self.told
        return (
            (self._candidate, told.chronicle.candidate, told.candidate),
            (self._stable, told.chronicle.stable, told.stable),
        )

    def _listen(self, heard: Heard, instances: Sequence[Instance], *, is_candidate: bool) -> None:
        for instance in instances:
            name, key = instance.spec.id, f"{instance.spec.release} {instance.spec.id}"
            reader = self._readers.setdefault(key, TraceReader(self._secrets))
            kept_at = heard.read_to.get(name, 0 if is_candidate else -LOOK_BACK_BYTES)
            lines = self._on.runtime.written(name, self._at.get(key, kept_at))
            for after, line in lines:
                self._at[key] = after
                for error in reader.feed(line):
                    heard.add(error)
                if reader.is_idle:  # an agent that is killed reads a half read error again
                    heard.read_to[name] = after
            if not lines:
                for error in reader.flush():
                    heard.add(error)
                    heard.read_to[name] = self._at.get(key, kept_at)

    def verdict(self, verdict: Verdict, evidence: Evidence) -> Verdict:
        """The verdict with what it meant for people: new errors and users touched."""
        side = self.told.chronicle.candidate.record(self._candidate)
        errors = self.told.new_errors()
        words = []
        if errors:
            more = f" and {len(errors) - ERRORS_SAID} more" if len(errors) > ERRORS_SAID else ""
            words.append(f"New errors: {', '.join(error.says() for error in errors[:ERRORS_SAID])}{more}.")
        if side.users_touched:
            words.append(f"Users touched: {side.users_touched:,}.")
        lines = [line for line in verdict.evidence if not line.startswith("users touched")]  # said below, exactly
        if memory := self.memory_says(evidence):
            lines.append(memory)
        if side.restarts:
            lines.append(f"{self._candidate} was started again {side.restarts} times")
        if verdict.action is Action.ROLL_BACK:
            because = f"{verdict.because.removesuffix('.')}. {' '.join(words)}" if words else verdict.because
            return msgspec.structs.replace(verdict, because=because, evidence=tuple(lines))
        rate = detectable_rate(self._policy, evidence)
        noticed = (
            f". At this traffic a rise of the error rate to {percent(rate)} would have been noticed with 95 %"
            " probability."
            if rate is not None and "would have been noticed" not in verdict.because
            else ""
        )
        because = f"{verdict.because.removesuffix('.')}{noticed}" if noticed else verdict.because
        return msgspec.structs.replace(verdict, because=because, evidence=(*lines, *words))

    def memory_says(self, evidence: Evidence) -> str:
        """How much memory the candidate used, and how surely it grows."""
        side = self.told.chronicle.candidate
        if not side.memory_last_bytes:
            return ""
        first, last = side.memory_first_bytes / 1e6, side.memory_last_bytes / 1e6
        text = f"memory of {self._candidate}: {last:.0f} MB, {first:.0f} MB at first"
        found = slope(evidence.memory.samples)
        if found is None:
            return text
        low, median, high = (60 * rate / 1e6 for rate in (found.low, found.median, found.high))
        if low > 0:
            return f"{text}; it grows by {median:.1f} MB a minute (99 % sure: {low:.1f} to {high:.1f})"
        return f"{text}; no lasting growth ({low:+.1f} to {high:+.1f} MB a minute, 99 % sure)"

    def record(self, evidence: Evidence, log_to: LogOffset) -> Record:
        chronicle = self.told.chronicle
        found = strengths(self._policy, evidence)
        rate = detectable_rate(self._policy, evidence)
        return Record(
            began_at=round(chronicle.began_at, 3),
            ended_at=round(self._on.clock.now(), 3),
            candidate=chronicle.candidate.record(self._candidate),
            stable=chronicle.stable.record(self._stable),
            every_s=chronicle.every_s,
            moments=tuple(chronicle.moments),
            measures=tuple(it.of for it in found),
            needed=tuple(float(f"{it.needed:.4g}") for it in found),
            p95_change=chronicle.p95_change(),
            new_errors=self.told.new_errors(),
            would_notice=(evidence.baseline.error_rate, rate) if rate is not None else None,
            memory_says=self.memory_says(evidence),
            log_from=self.told.log_from,
            log_to=log_to,
        )
