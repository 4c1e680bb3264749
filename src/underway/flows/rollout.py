"""Give a release a growing share of visitors while the guard compares it with the one that runs, and watch it after."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from underway.flows.baseline import learn_baseline
from underway.flows.counting import counting_of
from underway.flows.gates import Closed, closed
from underway.flows.probes import Probes
from underway.flows.signs import Signs
from underway.flows.telling import Telling, Told, begin_telling
from underway.flows.watch import last_words
from underway.guard.carry import go_to
from underway.guard.evidence import Evidence, Outcome
from underway.guard.judge import carried_out, judge
from underway.guard.observe import begin, observe, set_weight, tick
from underway.guard.policy import WhenQuiet
from underway.guard.routes import route_of
from underway.guard.shares import share_for
from underway.guard.words import good_news
from underway.journal.act_state import ActState
from underway.journal.events.acts import Judged, Order, Paused, ProbesMade, ShareMoved, Weighed
from underway.journal.journal import Journal
from underway.observe.counting import Kind
from underway.plan.model import Plan, Rollout
from underway.plan.strategy import CANARY_FROM_PER_S
from underway.ports.drivers import Drivers
from underway.steps.split_traffic import share_of_b
from underway.steps.step import Act
from underway.terms.record import Record
from underway.terms.route import LogOffset, Request
from underway.terms.smoke import Walked
from underway.terms.verdict import Action, Verdict

TICK_S = 1.0
LOOK_EVERY_S = 0.2
"""How often the log is read: a failure is judged at once, and a bad release is gone before the second is over."""


class Kept(msgspec.Struct):
    """What survives the agent: the evidence, how far the log was read into it, the share's moves, the last word."""

    evidence: Evidence
    offset: LogOffset
    moves: list[tuple[float, float]]
    orders_obeyed: int = 0
    is_held: bool = False
    held_by: str = ""
    restarts: dict[str, int] = msgspec.field(default_factory=dict)
    paused: str = ""
    """Which gate or verdict a person was last told of."""
    ended: Verdict | None = None
    """How the rollout ended. An agent that comes back finds it and does not judge again."""
    told: Told = msgspec.field(default_factory=Told)


_decoder = msgspec.json.Decoder(Kept)


def read_kept(text: bytes) -> Kept:
    """What a rollout had kept. Raises `msgspec.DecodeError` for what another version wrote."""
    return _decoder.decode(text)


class RollingOut:
    """One rollout under way, or the watch after it. `verdict` and `kept` are what a person is shown meanwhile."""

    def __init__(self, plan: Plan, ask: Rollout, act: Act, on: Drivers, journal: Journal) -> None:
        self.plan, self.ask, self.act, self.on, self.journal = plan, ask, act, on, journal
        self._counting = counting_of(journal.state(act.app), plan.release)
        self._signs = Signs(act.app, plan.release, ask.stable, ask.health, on)
        self._probes = Probes(act.app, ask.probing, on)
        self.kept = self._kept_or_new()
        self.telling = Telling(act.app, plan.release, ask.stable, ask.policy, self.kept.told, on)
        self.verdict = self._judge()
        self.closed: Closed | None = None

    async def run(self) -> Verdict:
        """Watch and move the share until the release has earned everything (ADVANCE), has been watched for long enough
        (CONTINUE), or is to be taken back."""
        if self.kept.ended is None:
            try:
                ended = await self._until_first_users() or await self._until_ended()
            finally:
                await self._probes.stop()
                await self._signs.stop()
            self._end(ended)
        assert self.kept.ended is not None
        return self.kept.ended

    def give_way(self) -> None:
        """Another act wants the app: whoever is live gets everybody back, before its slot's neighbour is stopped."""
        if self.kept.moves and self.kept.moves[-1][1] != 1.0:
            self._move(1.0, "another act begins")

    async def _until_first_users(self) -> Verdict | None:
        """Wait for the hour in which the release may get users. An order may end the rollout, or that wait."""
        if self.kept.moves or self.ask.is_watch:
            return None
        while gate := self._gate_to_first_users():
            self._tell(gate, f"{self.plan.release} is ready and has no users yet")
            before = self.kept.orders_obeyed
            if ended := self._obey():
                return ended
            if self.kept.orders_obeyed > before and not self.kept.is_held:
                break
            await self.on.clock.sleep(TICK_S)
        self.kept.evidence.last_now = self.on.clock.now()
        return None

    def _gate_to_first_users(self) -> Closed | None:
        by = self.kept.held_by if self.kept.is_held else ""
        return closed(self.ask, self.act.app, self.on.clock.now(), held_by=by, is_dark=False, is_first=True)

    async def _until_ended(self) -> Verdict:
        first = self.kept.evidence.weight
        if first <= 0:
            why = "live for those who ask for it, for nobody else"
        else:
            why = "it has all of them, and is watched" if self.ask.is_watch else "the first visitors"
        self._move(first, why)
        self._read_requests()  # those of the time in which nobody looked
        while True:
            self._count_probes(self._probes.look(self._wants_probes()))
            health = self._signs.look()
            if died := self._signs.ended(self.kept.restarts, self.ask.is_watch):
                return Verdict(action=Action.ROLL_BACK, because=died, rule="died")
            tick(self.ask.policy, self.kept.evidence, self.on.clock.now(), health, self._signs.memory())
            self.telling.note(self.kept.evidence)
            if ordered := self._obey():
                return ordered
            verdict = self._judge()
            if self._act_on(verdict):
                return verdict
            waiting_for = self.closed.waiting_for if self.closed else verdict.waiting_for
            self.verdict = msgspec.structs.replace(verdict, waiting_for=waiting_for)
            self._save()
            await self._until_next_look()

    async def _until_next_look(self) -> None:
        """A second; or until the candidate fails, or somebody orders something."""
        until = self.on.clock.monotonic() + TICK_S
        failed = self.kept.evidence.pending.candidate_failed
        orders = len(self._held().orders)
        while self.on.clock.monotonic() < until:
            await self.on.clock.sleep(LOOK_EVERY_S)
            self._read_requests()
            if self.kept.evidence.pending.candidate_failed > failed or len(self._held().orders) > orders:
                return

    def _judge(self) -> Verdict:
        return judge(self.ask.policy, self.kept.evidence, self.plan.release, self.ask.stable)

    def _act_on(self, verdict: Verdict) -> bool:
        """Do what the verdict says; True when the rollout is over."""
        evidence = self.kept.evidence
        self.closed = None
        match verdict.action:
            case Action.ROLL_BACK:
                return True
            case Action.ADVANCE | Action.CONTINUE:
                if gate := self._gate():
                    self._tell(gate, verdict.because)
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
                asked = f"a person: underway release advance, promote or abort {self.act.app}"
                self._tell(Closed(verdict.rule, verdict.waiting_for or asked), verdict.because)
        return False

    def _gate(self) -> Closed | None:
        """What keeps a release that has proved itself where it is."""
        if self.ask.is_watch:
            by = self.kept.held_by
            end = f"{by} to end the watch: underway release promote {self.act.app}"
            return Closed("held", end) if self.kept.is_held else None
        is_dark = self.kept.evidence.weight <= 0
        if is_dark and self.ask.probing and not self._probes.rounds:
            return Closed("probes", "the first round of probes")
        if is_dark and self._probes.failing:
            return Closed("probes", f"probes to pass: {self._probes.failing}")
        return closed(
            self.ask,
            self.act.app,
            self.on.clock.now(),
            held_by=self.kept.held_by if self.kept.is_held else "",
            is_dark=is_dark,
            is_first=False,
        )

    def _obey(self) -> Verdict | None:
        """Follow the orders that came since the last look; a verdict when one of them ends the rollout."""
        for _, order, by in self._held().orders[self.kept.orders_obeyed :]:
            self.kept.orders_obeyed += 1
            self.kept.paused = ""
            match order:
                case Order.ABORT:
                    return Verdict(action=Action.ROLL_BACK, because=f"{by} ordered it back", rule="ordered")
                case Order.PROMOTE if self.ask.is_watch:
                    return self._enough(by)
                case Order.PROMOTE:
                    return Verdict(action=Action.ADVANCE, because=f"{by} ordered it live", weight=1.0, rule="ordered")
                case Order.HOLD:
                    self.kept.is_held, self.kept.held_by = True, by
                case Order.ADVANCE:
                    self.kept.is_held = False
                    if self.ask.is_watch:
                        return self._enough(by)
                    if ended := self._next_step(by):
                        return ended
        return None

    def _enough(self, by: str) -> Verdict:
        return Verdict(action=Action.CONTINUE, because=f"{by} ended the watch", rule="ordered")

    def _next_step(self, by: str) -> Verdict | None:
        policy, evidence = self.ask.policy, self.kept.evidence
        if not self.kept.moves:  # it waits for its first users
            return None
        if evidence.step + 1 >= len(policy.steps):
            return Verdict(action=Action.ADVANCE, because=f"{by} let it go live", weight=1.0, rule="ordered")
        go_to(policy, evidence, evidence.step + 1)
        set_weight(evidence, share_for(policy, evidence, evidence.step))
        self._move(evidence.weight, f"{by} let it go on")
        return None

    def _tell(self, gate: Closed, because: str) -> None:
        """Write down once that a person, or the hour, is waited for."""
        self.closed = gate
        self.verdict = msgspec.structs.replace(self.verdict, waiting_for=gate.waiting_for)
        if self.kept.paused == gate.kind:
            return
        self.kept.paused = gate.kind
        self._save()
        self.journal.record(
            Paused(
                app=self.act.app,
                act=self.act.id,
                release=self.plan.release,
                because=because,
                waiting_for=gate.waiting_for,
            )
        )

    def _move(self, share: float, because: str) -> None:
        """First what we know, then the journal, then the proxy: an end in between is mended by repeating it."""
        if not self.kept.moves or self.kept.moves[-1][1] != share:
            self.kept.moves.append((self.on.clock.now(), share))
        self.kept.paused = ""
        self._save()
        if self._held().share != share:
            self.journal.record(
                ShareMoved(app=self.act.app, act=self.act.id, release=self.plan.release, share=share, because=because)
            )
        self.on.router.set_share(self.act.app, share_of_b(self.ask.slot, share))

    def _end(self, verdict: Verdict) -> None:
        """Keep the last word with what it meant for people, and what the watch that follows goes on from."""
        evidence = self.kept.evidence
        self.telling.note(evidence)
        if verdict.action is Action.ADVANCE:
            self.kept.moves.append((self.on.clock.now(), 1.0))
            if verdict.rule != "ordered":
                told = good_news(self.ask.policy, evidence, self.plan.release, self.ask.stable)
                verdict = msgspec.structs.replace(verdict, because=told)
        self.kept.ended = self.verdict = self.telling.verdict(verdict, evidence)
        self._save()

    def _wants_probes(self) -> bool:
        """In the dark step, and where the manifest says so beside users who are too few."""
        if self.kept.evidence.weight <= 0:
            return not self.ask.is_watch
        is_quiet = self.kept.evidence.baseline.per_s < CANARY_FROM_PER_S
        return is_quiet and self.ask.policy.when_quiet is WhenQuiet.PROBE

    def _count_probes(self, made: Sequence[Walked]) -> None:
        """Probes have evidence of their own. What the log says of them is passed over: it knows no expectations."""
        for walked in made:
            probe = Outcome(
                is_candidate=True, weight=0.0, failed=not walked.passed, latency_ms=walked.took_ms, is_probe=True
            )
            observe(self.ask.policy, self.kept.evidence, probe)
        if failed := tuple(walked.says() for walked in made if not walked.passed):
            passed = sum(walked.passed for walked in made)
            app, act, release = self.act.app, self.act.id, self.plan.release
            self.journal.record(ProbesMade(app=app, act=act, release=release, passed=passed, failed=failed))

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
            if request.app != self.act.app or request.release not in sides or request.is_monitor:
                continue
            kind = self._counting.kind(request)
            self.telling.count(request, kind, sides[request.release])
            if kind not in (Kind.GOOD, Kind.FAILED):
                continue
            outcome = Outcome(
                is_candidate=sides[request.release],
                weight=self._weight(request),
                failed=kind is Kind.FAILED,
                latency_ms=request.took_ms,
                client=request.client if request.is_sticky else "",
                route=route_of(request.method, request.path) if request.status < 400 else "",
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

    def _held(self) -> ActState:
        held = self.journal.state(self.act.app).act
        if held is None or held.id != self.act.id:
            raise RuntimeError(f"act {self.act.id} does not hold {self.act.app}")
        return held

    def _kept_or_new(self) -> Kept:
        text = self.on.snapshots.load(self.act.app, self.plan.release)
        if text is not None:
            kept = _decoder.decode(text)
            return self._watched_from(kept) if self.ask.is_watch else kept
        now = self.on.clock.now()
        baseline = learn_baseline(
            self.act.app, self.ask.stable, self.ask.policy, self._counting, self.on.request_log, now
        )
        offset = self.on.request_log.end()
        return Kept(
            evidence=begin(self.ask.policy, baseline, now),
            offset=offset,
            moves=[],
            restarts=self._signs.restarts(),
            told=begin_telling(now, offset),
        )

    def record(self) -> Record:
        """What is kept for good of how the release was judged."""
        return self.telling.record(self.kept.evidence, self.kept.offset)

    def _watched_from(self, kept: Kept) -> Kept:
        """The rollout's evidence goes on into the watch; its orders and its last word belong to the act before."""
        evidence, policy = kept.evidence, self.ask.policy
        if evidence.step < len(policy.steps) or (kept.ended is not None and kept.ended.action is Action.ADVANCE):
            evidence.last_now = self.on.clock.now()
            go_to(policy, evidence, len(policy.steps))
            set_weight(evidence, 1.0)
            kept.ended, kept.orders_obeyed, kept.is_held, kept.paused = None, 0, False, ""
            kept.restarts = self._signs.restarts()
        return kept

    def _save(self) -> None:
        self.on.snapshots.save(self.act.app, self.plan.release, msgspec.json.encode(self.kept))


async def roll_out(rolling: RollingOut) -> Verdict:
    """Run it to its end and write the verdict down."""
    verdict = await rolling.run()
    app, act, release = rolling.act.app, rolling.act.id, rolling.plan.release
    tail = last_words(rolling.journal.state(app), release, verdict)
    rolling.journal.record(
        Judged(app=app, act=act, release=release, verdict=verdict, log_tail=tail),
        Weighed(app=app, act=act, release=release, record=rolling.record()),
    )
    return verdict
