"""Journal and drivers → the views of the API."""

from __future__ import annotations

import os

import psutil

from underway import __version__
from underway.agent.agent import Agent
from underway.agent.rounds import first_live, has_data
from underway.agent.views import (
    ActView,
    AgentView,
    AppView,
    BackupsView,
    BackupView,
    ClaimView,
    InstanceView,
    PlanView,
    ReleaseView,
    RolloutView,
    SideView,
    StandingView,
    StatusView,
)
from underway.flows.back_up import manifest_of
from underway.flows.deploy import Planning
from underway.flows.facts import url_of
from underway.journal.act_state import StepState
from underway.journal.app_state import AppState, ReleaseState
from underway.journal.events.acts import ActKind
from underway.journal.fits import fit_of
from underway.keep.worth import Outlook, condition, outlook
from underway.manifest.read import read_manifest
from underway.terms.alert import Severity
from underway.terms.backup import Kept
from underway.terms.problem import Problem, Refusal
from underway.terms.process import Instance, InstanceState
from underway.terms.verdict import Traffic

API_VERSION = 1


def plan_view(plan_id: str, planning: Planning) -> PlanView:
    plan = planning.plan
    return PlanView(
        id=plan_id,
        kind=plan.kind,
        app=plan.app,
        release=plan.release,
        was=plan.was,
        url=plan.url,
        digest=plan.digest,
        steps=plan.lines(),
        notes=plan.notes,
        strategy=plan.strategy,
        because=plan.because,
        watch_s=plan.watch_s,
        claims=tuple(ClaimView(about=c.about, says=c.says, evidence=c.evidence) for c in planning.claims),
        manifest=planning.manifest,
        is_detected=bool(planning.claims),
    )


def status_view(agent: Agent) -> StatusView:
    there = (state for state in agent.journal.states().values() if state.releases or state.act)
    states = sorted(there, key=lambda state: state.app)
    return StatusView(
        agent=AgentView(
            version=__version__,
            api=API_VERSION,
            pid=os.getpid(),
            home=str(agent.on.home.root),
            http_port=agent.on.home.http_port,
            started_at=agent.started_at,
            rss_bytes=psutil.Process().memory_info().rss,
            apps=len(states),
            limits=tuple(f"{limit.resource}: {limit.says}" for limit in agent.on.runtime.limits()),
        ),
        apps=tuple(app_view(agent, state) for state in states),
    )


def app_view(agent: Agent, state: AppState) -> AppView:
    idle = state.slots.get(state.live_slot.other) if state.live_slot else None
    if idle and state.act and state.act.release == idle.release and state.act.kind is ActKind.DEPLOY:
        idle = None  # it is on its way
    live = state.live_release
    is_watching = state.act is not None and state.act.kind is ActKind.WATCH
    return AppView(
        app=state.app,
        url=url_of(state.app, agent.on) if state.live else "",
        hosts=state.route.hosts if state.route else (),
        live=state.live,
        source=live.release.source.says() if live else "",
        live_since=live.live_since if live else None,
        warm=idle.release if idle else "",
        warm_until=state.warm_until if idle else 0.0,
        path=state.path,
        instances=tuple(_instance(agent, instance) for instance in agent.on.runtime.instances(state.app)),
        act=None if is_watching else _act(agent, state),
        watching=_act(agent, state) if is_watching else None,
        last=state.last,
        troubles=tuple(_troubles(agent, state)),
        traffic=_traffic(agent, state.app),
        requests_per_s=round(agent.books.per_s(state.app), 3),
        is_in_maintenance=state.is_in_maintenance,
        backups=standing_view(agent, state),
    )


def standing_view(agent: Agent, state: AppState) -> StandingView | None:
    """How the app's backups stand; None for an app that keeps nothing, or that was never live."""
    found = _outlook(agent, state)
    if found is None:
        return None
    return StandingView(standing=found.standing.value, says=found.says, newest=found.newest, age_s=found.age_s)


def backups_view(agent: Agent, state: AppState) -> BackupsView:
    """Every backup with its worth."""
    found = _outlook(agent, state)
    return BackupsView(
        app=state.app,
        standing=found.standing.value if found else "off",
        says=found.says if found else "nothing is kept of this app",
        backups=tuple(_backup(kept) for kept in agent.on.backups.all(state.app)),
    )


def _outlook(agent: Agent, state: AppState) -> Outlook | None:
    since = first_live(state)
    if not since:
        return None
    manifest = manifest_of(state.app, agent.journal)
    kept = agent.on.backups.all(state.app)
    if not has_data(manifest) and not kept:
        return None
    keys = manifest.backup
    every_s, drill_s = (
        (keys.every_s, keys.drill_s) if state.live else (0.0, 0.0)
    )  # nothing runs for an app that is down
    return outlook(kept, every_s, drill_s, agent.on.clock.now(), since)


def _backup(kept: Kept) -> BackupView:
    backup = kept.backup
    database = backup.database
    return BackupView(
        id=backup.id,
        at=backup.at,
        reason=backup.reason.value,
        condition=condition(kept).value,
        size_bytes=backup.size_bytes,
        took_s=backup.took_s,
        rows=sum(part.rows for part in backup.parts),
        tables=sum(len(part.tables) for part in backup.parts),
        server=f"PostgreSQL {backup.server_version}" if database else "",
        schema_head=database.schema_head if database else "",
        release=backup.release,
        is_encrypted=bool(backup.recipients),
        name=backup.name,
        damage=kept.damage,
        copies=kept.copies,
        proof=kept.proof,
        parts=backup.parts,
    )


def _traffic(agent: Agent, app: str) -> dict[str, Traffic]:
    agent.books.catch_up()
    return agent.books.of(app).traffic()


def _act(agent: Agent, state: AppState) -> ActView | None:
    act = state.act
    if act is None:
        return None
    step = next((s for s, it in act.steps.items() if it in (StepState.STARTED, StepState.UNDOING)), "")
    return ActView(
        id=act.id,
        kind=act.kind,
        release=act.release,
        started_at=act.started_at,
        phase=act.phase.value,
        step=step,
        rollout=rollout_view(agent, state.app, act.paused),
    )


def rollout_view(agent: Agent, app: str, paused: str) -> RolloutView | None:
    """The release of `app` that is on its way, or watched; `paused` says what the journal has it wait for."""
    rolling = agent.rollouts.get(app)
    if rolling is None:
        return None
    evidence, policy, verdict = rolling.kept.evidence, rolling.ask.policy, rolling.verdict
    total, chronicle = evidence.total, rolling.kept.told.chronicle
    times, stable_times = chronicle.candidate.whole.took, chronicle.stable.whole.took
    return RolloutView(
        share=rolling.kept.moves[-1][1] if rolling.kept.moves else 0.0,
        steps=policy.steps,
        candidate=SideView(
            release=rolling.plan.release,
            requests=total.candidate,
            failed=total.candidate_failed,
            p50_ms=round(times.quantile_ms(0.5), 1),
            p95_ms=round(times.quantile_ms(0.95), 1),
            memory_bytes=_memory(agent, app, rolling.plan.release),
            users_touched=chronicle.candidate.whole.touched.count,
            restarts=chronicle.candidate.restarts,
        ),
        stable=SideView(
            release=rolling.ask.stable,
            requests=total.stable,
            failed=total.stable_failed,
            p50_ms=round(stable_times.quantile_ms(0.5), 1),
            p95_ms=round(stable_times.quantile_ms(0.95), 1),
            memory_bytes=_memory(agent, app, rolling.ask.stable),
            users_touched=chronicle.stable.whole.touched.count,
            restarts=chronicle.stable.restarts,
        ),
        action=verdict.action.value,
        because=verdict.because,
        waiting_for=verdict.waiting_for,
        strengths=verdict.strengths,
        paused=rolling.closed.waiting_for if rolling.closed else paused,
        is_held=rolling.kept.is_held,
        began_at=chronicle.began_at,
        new_errors=rolling.kept.told.new_errors(),
    )


def _memory(agent: Agent, app: str, release: str) -> int:
    """What the release's largest instance uses."""
    mine = [i.spec.id for i in agent.on.runtime.instances(app) if i.spec.release == release]
    return max((sample.rss_bytes for sample in map(agent.on.runtime.sample, mine) if sample), default=0)


def _instance(agent: Agent, instance: Instance) -> InstanceView:
    sample = agent.on.runtime.sample(instance.spec.id)
    return InstanceView(
        id=instance.spec.id,
        process=instance.spec.process,
        release=instance.spec.release,
        state=instance.state.value,
        pid=instance.pid,
        port=instance.spec.port,
        started_at=instance.started_at,
        restarts=instance.restarts,
        memory_bytes=sample.rss_bytes if sample else 0,
        exit_code=instance.exit_code,
    )


def _troubles(agent: Agent, state: AppState) -> list[str]:
    """What a person should look at."""
    why = agent.stuck.get(state.app)
    stuck = [f"its {state.act.kind.value} cannot go on: {why}"] if state.act and why else []
    problems = [it.problem for it in state.alerts.standing.values() if it.severity is not Severity.NOTE]
    alerts = [f"{problem.why}: {problem.command or problem.remedy}" for problem in problems]
    return (
        stuck
        + alerts
        + [
            f"{i.spec.process} {i.spec.number + 1} of {i.spec.release} keeps ending (exit code {i.exit_code});"
            f" it is not started again: underway logs {state.app} --process {i.spec.process}"
            for i in agent.on.runtime.instances(state.app)
            if i.state is InstanceState.CRASH_LOOP
        ]
    )


def require_process(state: AppState, process: str) -> None:
    """Raise `Refusal` (`process.unknown`) unless the app has, or ever had, such a process; empty means all."""
    ours = {name for it in state.releases.values() if not it.is_pruned for name in read_manifest(it.manifest).processes}
    known = sorted(ours | {"build", "migrate", "rehearsal", "lint", "trial"})
    if not process or process in known:
        return
    raise Refusal(
        [
            Problem(
                code="process.unknown",
                where=f"{state.app} {process[:60]}",
                why=f"{state.app} has no process {process[:60]!r}; there are {', '.join(known)}",
                remedy="name one of these, or leave --process out",
                command=f"underway logs {state.app}",
            )
        ]
    )


def release_views(state: AppState) -> list[ReleaseView]:
    """Newest first."""
    return [
        ReleaseView(
            id=it.release.id,
            created_at=it.release.created_at,
            source=it.release.source.says(),
            state=_state(state, it),
            outcome=it.outcome,
            live_since=it.live_since,
            duration_s=it.duration_s,
            because=it.because,
            traffic=it.traffic,
            build_key=it.release.build_key,
            verdict=it.verdict.because if it.verdict else "",
            p95_change=it.p95_change,
            new_errors=it.new_errors,
            has_evidence=bool(it.record_seq),
            overdrawn=it.overdrawn,
            old_code=it.old_code,
            back=it.back,
            head=it.head,
            runs_now=fit_of(state, it.release.id, state.schema) if state.schema else None,
        )
        for _, it in sorted(state.releases.items(), reverse=True)
    ]


def _state(state: AppState, it: ReleaseState) -> str:
    """live | warm (a rollback is instant) | kept (a rollback starts it) | failed | pruned | deploying."""
    release = it.release.id
    if release == state.live:
        return "live"
    if it.is_pruned:
        return "pruned"
    if state.act and state.act.release == release and state.act.kind is not ActKind.WATCH:
        return "deploying"
    if state.slot_of(release):
        return "warm"
    return "kept" if it.live_since else "failed"
