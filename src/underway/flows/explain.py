"""Tell a verdict again from what was kept: judged anew by the guard, counted anew in the access log."""

from __future__ import annotations

import msgspec

from underway.flows.counting import counting_of
from underway.flows.rollout import read_kept
from underway.guard.judge import judge
from underway.journal.app_state import AppState, ReleaseState
from underway.journal.events.acts import Judged, Planned, Weighed
from underway.journal.journal import Journal
from underway.observe.chronicle import Side, is_visitors
from underway.plan.model import read_plan
from underway.ports.drivers import Drivers
from underway.terms.problem import Problem, Refusal
from underway.terms.record import Record, SideRecord
from underway.terms.verdict import Verdict

_NO_EVIDENCE = ("died", "ordered", "")
"""Rules that do not rest on requests: a process ended, a person decided, a watch without a rollout."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict asked for again. `verdict` is None when it cannot be, and `why_not` says so; `agrees` compares
    action, rule and the strength of every kind of evidence with what was said then."""

    verdict: Verdict | None = None
    agrees: bool = False
    why_not: str = ""


class Recount(msgspec.Struct, frozen=True, kw_only=True):
    """Both releases counted again in the access log; None and the reason when that part of it is gone."""

    candidate: SideRecord | None = None
    stable: SideRecord | None = None
    agrees: bool = False
    why_not: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A release's verdict with everything it rests on. `judged_at` is in seconds since the epoch."""

    app: str
    release: str
    judged_at: float
    verdict: Verdict
    outcome: str = ""
    record: Record | None = None
    again: Again = Again()
    recount: Recount = Recount()


async def explain(app: str, release: str, on: Drivers, journal: Journal) -> Explanation:
    """Of `release`, or of the one that was judged last. Raises `Refusal` (`release.unknown`, `release.not-judged`)."""
    state = journal.state(app)
    found = _found(state, release)
    name = found.release.id
    judged = journal.read(found.judged_seq - 1, app=app)[0] if found.judged_seq else None
    if judged is None or not isinstance(judged.event, Judged):
        raise Refusal([_not_judged(app, name)])
    kept = journal.read(found.record_seq - 1, app=app)[0].event if found.record_seq else None
    record = kept.record if isinstance(kept, Weighed) else None
    return Explanation(
        app=app,
        release=name,
        judged_at=judged.at,
        verdict=judged.event.verdict,
        outcome=found.outcome.value if found.outcome else "",
        record=record,
        again=_again(app, name, judged.event, on, journal),
        recount=await _recount(state, record, on) if record else Recount(why_not="nothing was compared"),
    )


def _found(state: AppState, release: str) -> ReleaseState:
    if release:
        if release in state.releases:
            return state.releases[release]
        raise Refusal([_unknown(state.app, release)])
    judged = [it for _, it in sorted(state.releases.items()) if it.verdict]
    if judged:
        return judged[-1]
    raise Refusal([_not_judged(state.app, "")])


def _again(app: str, release: str, then: Judged, on: Drivers, journal: Journal) -> Again:
    """Ask the guard about the evidence as it was when it spoke."""
    if then.verdict.rule in _NO_EVIDENCE:
        return Again(why_not="it did not rest on requests")
    text = on.snapshots.load(app, release)
    planned = next((it.event for it in journal.read(app=app, act=then.act) if isinstance(it.event, Planned)), None)
    if text is None or planned is None:
        return Again(why_not="its evidence was removed with its build")
    rollout = next((stage.rollout for stage in read_plan(bytes(planned.plan)).stages if stage.rollout), None)
    try:
        kept = read_kept(text)
    except msgspec.DecodeError:
        kept = None
    if rollout is None or kept is None:
        return Again(why_not="its evidence was written by another version of Underway")
    verdict = judge(rollout.policy, kept.evidence, release, rollout.stable)
    says, said = ((it.action, it.rule, it.strengths) for it in (verdict, then.verdict))
    return Again(verdict=verdict, agrees=says == said)


async def _recount(state: AppState, record: Record, on: Drivers) -> Recount:
    if record.stable is None or not record.log_to.inode:
        return Recount(why_not="nothing was compared")
    if not on.request_log.holds(record.log_from) and record.log_from.inode:
        return Recount(why_not="the access log of that time is gone")
    counting = counting_of(state, record.candidate.release)
    sides = {record.candidate.release: (Side(), True), record.stable.release: (Side(), False)}
    offset = record.log_from
    while offset != record.log_to:
        requests, after = on.request_log.read(offset, until=record.log_to)
        for request in requests:
            side, is_candidate = sides.get(request.release, (None, False))
            if side is not None and request.app == state.app and is_visitors(request, is_candidate):
                side.add(request, counting.kind(request))
        if after == offset:
            return Recount(why_not="the access log of that time is gone")
        offset = after
        await on.clock.sleep(0)
    mine, theirs = (sides[it.release][0].record(it.release) for it in (record.candidate, record.stable))
    agrees = all(
        (one.served, one.failed) == (two.served, two.failed)
        for one, two in ((mine, record.candidate), (theirs, record.stable))
    )
    return Recount(candidate=mine, stable=theirs, agrees=agrees)


def _unknown(app: str, release: str) -> Problem:
    return Problem(
        code="release.unknown",
        where=f"{app} {release[:40]}",
        why=f"{app} has no release {release[:40]!r}",
        remedy="name one of its releases, or none for the one that was judged last",
        command=f"underway releases {app}",
    )


def _not_judged(app: str, release: str) -> Problem:
    return Problem(
        code="release.not-judged",
        where=f"{app} {release}".strip(),
        why=f"nothing was judged of {release or 'any of its releases'}: none got traffic while it was watched",
        remedy="see what became of it",
        command=f"underway releases {app}",
    )
