"""Give a release a growing share of visitors while the guard compares it with the one that runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from underway.flows.baseline import learn_baseline
from underway.flows.counting import counting_of
from underway.flows.watch import check_once
from underway.guard.carry import go_to
from underway.guard.evidence import Evidence, Health, Outcome
from underway.guard.judge import carried_out, judge
from underway.guard.observe import begin, observe, set_weight, tick
from underway.journal.events import Judged, Order, Paused, ShareMoved
from underway.journal.journal import Journal
from underway.journal.state import ActState
from underway.observe.counting import Kind
from underway.plan.model import Plan, Rollout
from underway.ports.drivers import Drivers
from underway.steps.split_traffic import share_of_b
from underway.steps.step import Act
from underway.terms.process import Instance, InstanceState
from underway.terms.route import LogOffset, Request
from underway.terms.verdict import Action, Verdict

TICK_S = 1.0
CHECK_EVERY_S = 2.0


class Kept(msgspec.Struct):
    """What survives the agent: the evidence, how far the log was read into it, and the share's moves."""

    evidence: Evidence
    offset: LogOffset
    moves: list[tuple[float, float]]
    orders_obeyed: int = 0
    is_held: bool = False


_decoder = msgspec.json.Decoder(Kept)


class RollingOut:
    """One rollout under way. `verdict` and `kept` are what a person is shown meanwhile."""

    def __init__(self, plan: Plan, ask: Rollout, act: Act, on: Drivers, journal: Journal) -> None:
        self.plan, self.ask, self.act, self.on, self.journal = plan, ask, act, on, journal
        self._counting = counting_of(journal.state(act.app), plan.release)
        self.kept = self._kept_or_new()
        self.verdict = judge(ask.policy, self.kept.evidence, plan.release, ask.stable)
        self._failed: dict[str, int] = defaultdict(int)
        self._said = ""
        self._checked_at = 0.0
        self._restarts = {i.spec.id: i.restarts for i in on.runtime.instances(act.app)}
        self._is_paused = False

    async def run(self) -> Verdict:
        """Watch and move the share until the release has earned everything (ADVANCE) or is to be taken back."""
        self._move(self.kept.evidence.weight, "the first visitors")
        while True:
            self._read_requests()
            health = await self._check()
            if self.died:
                return Verdict(action=Action.ROLL_BACK, because=self.died, rule="died")
            tick(self.ask.policy, self.kept.evidence, self.on.clock.now(), health, self._memory())
            ordered = self._obey()
            if ordered:
                return ordered
            self.verdict = judge(self.ask.policy, self.kept.evidence, self.plan.release, self.ask.stable)
            if self._act_on(self.verdict):
                return self.verdict
            self._save()
            await self.on.clock.sleep(TICK_S)

    @property
    def died(self) -> str:
        """Why the release is dead, empty while it lives."""
        for i in self._instances():
            if i.state is InstanceState.CRASH_LOOP or i.restarts > self._restarts.get(i.spec.id, 0):
                return f"{i.spec.process} {i.spec.number + 1} of {i.spec.release} ended with exit code {i.exit_code}"
        return ""

    def _act_on(self, verdict: Verdict) -> bool:
        """Do what the verdict says; True when the rollout is over."""
        evidence = self.kept.evidence
        match verdict.action:
            case Action.ROLL_BACK:
                return True
            case Action.ADVANCE | Action.CONTINUE:
                if self.kept.is_held or self.ask.is_approved_by_person:
                    self._pause(verdict, "an order: underway release advance, promote or abort")
                    return False
                if verdict.weight is None or verdict.weight >= 1.0:
                    return True
                carried_out(self.ask.policy, evidence, verdict)
                self._move(evidence.weight, verdict.because)
            case Action.WAIT:
                if verdict.weight is not None:
                    carried_out(self.ask.policy, evidence, verdict)
                    self._move(evidence.weight, verdict.because)
            case Action.INCONCLUSIVE:
                self._pause(verdict, "an order: underway release advance, promote or abort")
        return False

    def _obey(self) -> Verdict | None:
        """Follow the orders that came since the last look; a verdict when one of them ends the rollout."""
        held = self._held()
        for _, order, by in held.orders[self.kept.orders_obeyed :]:
            self.kept.orders_obeyed += 1
            self._is_paused = False
            match order:
                case Order.ABORT:
                    return Verdict(action=Action.ROLL_BACK, because=f"{by} ordered it back", rule="ordered")
                case Order.PROMOTE:
                    return Verdict(action=Action.ADVANCE, because=f"{by} ordered it live", weight=1.0, rule="ordered")
                case Order.HOLD:
                    self.kept.is_held = True
                case Order.ADVANCE:
                    self.kept.is_held = False
                    evidence = self.kept.evidence
                    if evidence.step + 1 >= len(self.ask.policy.steps):
                        because = f"{by} ordered the last step"
                        return Verdict(action=Action.ADVANCE, because=because, weight=1.0, rule="ordered")
                    go_to(self.ask.policy, evidence, evidence.step + 1)
                    set_weight(evidence, self.ask.policy.steps[evidence.step])
                    self._move(evidence.weight, f"{by} ordered the next step")
        return None

    def _pause(self, verdict: Verdict, waiting_for: str) -> None:
        if not self._is_paused and not self._held().paused:
            self.journal.record(
                Paused(
                    app=self.act.app,
                    act=self.act.id,
                    release=self.plan.release,
                    because=verdict.because,
                    waiting_for=verdict.waiting_for or waiting_for,
                )
            )
        self._is_paused = True

    def _move(self, share: float, because: str) -> None:
        """First what we know, then the journal, then the proxy: an end in between is mended by repeating it."""
        if not self.kept.moves or self.kept.moves[-1][1] != share:
            self.kept.moves.append((self.on.clock.now(), share))
        self._save()
        if self._held().share != share:
            self.journal.record(
                ShareMoved(app=self.act.app, act=self.act.id, release=self.plan.release, share=share, because=because)
            )
        self.on.router.set_share(self.act.app, share_of_b(self.ask.slot, share))

    def _read_requests(self) -> None:
        requests, offset = self.on.request_log.read(self.kept.offset)
        while True:
            self._count(requests)
            self.kept.offset = offset
            if not requests:
                return
            requests, offset = self.on.request_log.read(offset)

    def _count(self, requests: Sequence[Request]) -> None:
        sides = {self.plan.release: True, self.ask.stable: False}
        for request in requests:
            if request.app != self.act.app or request.release not in sides:
                continue
            kind = self._counting.kind_of(request.status) if request.is_monitor else self._counting.kind(request)
            if kind not in (Kind.GOOD, Kind.FAILED):
                continue
            outcome = Outcome(
                is_candidate=sides[request.release],
                weight=self._weight(request),
                failed=kind is Kind.FAILED,
                latency_ms=request.took_ms,
                client=request.client if request.is_sticky else "",
                is_probe=request.is_monitor,
            )
            observe(self.ask.policy, self.kept.evidence, outcome)

    def _weight(self, request: Request) -> float:
        """The candidate's share when the request arrived, as the proxy logged it; 0 when it asked for its release.

        The log has it in 65,536ths: the share that was set is the nearest one.
        """
        if request.share_of_b is None:
            return 0.0
        logged = share_of_b(self.ask.slot, request.share_of_b)
        return min((share for _, share in self.kept.moves), key=lambda share: abs(share - logged), default=0.0)

    async def _check(self) -> Health | None:
        now = self.on.clock.monotonic()
        if now - self._checked_at < CHECK_EVERY_S:
            return None
        self._checked_at = now
        worst = {self.plan.release: 0, self.ask.stable: 0}
        for instance in self.on.runtime.instances(self.act.app):
            name = instance.spec.id
            if instance.spec.port and instance.spec.release in worst:
                failure = await check_once(instance, self.ask.health, self.on)
                self._failed[name] = self._failed[name] + 1 if failure else 0
                worst[instance.spec.release] = max(worst[instance.spec.release], self._failed[name])
                if failure and instance.spec.release == self.plan.release:
                    self._said = failure
        return Health(
            candidate_in_a_row=worst[self.plan.release], stable_in_a_row=worst[self.ask.stable], said=self._said
        )

    def _instances(self) -> list[Instance]:
        """The candidate's instances."""
        return [i for i in self.on.runtime.instances(self.act.app) if i.spec.release == self.plan.release]

    def _memory(self) -> float | None:
        """What the candidate's largest instance uses."""
        samples = [self.on.runtime.sample(i.spec.id) for i in self._instances()]
        return max((float(sample.rss_bytes) for sample in samples if sample), default=None)

    def _held(self) -> ActState:
        held = self.journal.state(self.act.app).act
        if held is None:
            raise RuntimeError(f"act {self.act.id} does not hold {self.act.app}")
        return held

    def _kept_or_new(self) -> Kept:
        text = self.on.snapshots.load(self.act.app, self.plan.release)
        if text is not None:
            return _decoder.decode(text)
        now = self.on.clock.now()
        baseline = learn_baseline(
            self.act.app, self.ask.stable, self.ask.policy, self._counting, self.on.request_log, now
        )
        return Kept(evidence=begin(self.ask.policy, baseline, now), offset=self.on.request_log.end(), moves=[])

    def _save(self) -> None:
        self.on.snapshots.save(self.act.app, self.plan.release, msgspec.json.encode(self.kept))


async def roll_out(rolling: RollingOut) -> Verdict:
    """Run it to its end and write the verdict down."""
    verdict = await rolling.run()
    rolling.journal.record(
        Judged(app=rolling.act.app, act=rolling.act.id, release=rolling.plan.release, verdict=verdict)
    )
    return verdict
