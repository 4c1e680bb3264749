"""Facts → the plan of a rehearsal that a person asked for. Pure."""

from __future__ import annotations

from underway.journal.app_state import AppState
from underway.journal.events.acts import ActKind
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.plan.deploy import live_code
from underway.plan.facts import DeployFacts
from underway.plan.model import Plan, Stage
from underway.plan.parts import code_of, env_of
from underway.steps.build_release import BuildRelease
from underway.steps.every_step import EveryStep
from underway.steps.rehearse import Rehearse
from underway.steps.try_release import TryRelease


def plan_rehearsal(facts: DeployFacts) -> Plan:
    """Build the source, or take its build, and try its migrations on a copy. Nothing that runs is changed."""
    manifest = facts.manifest
    steps: list[EveryStep] = [
        BuildRelease(
            release=facts.release,
            ask=facts.ask,
            key=facts.key,
            manifest=facts.manifest_text,
            is_reused=facts.is_built,
            is_release=False,
        )
    ]
    if manifest.migrate is not None:
        steps.append(
            Rehearse(
                release=facts.release,
                key=facts.key,
                migrate=manifest.migrate,
                env=env_of(manifest, facts.release),
                was=live_code(facts.state),
                new=code_of(manifest, facts.release, facts.key),
                is_asked=True,
                is_in_files=manifest.services.postgres is None,
            )
        )
    return _plan(facts.state, manifest, facts.release, steps, facts.notes)


def plan_trial(state: AppState, release: str) -> Plan:
    """Try a release that there was on the database as it is now."""
    it = state.releases[release]
    manifest = read_manifest(it.manifest)
    step = TryRelease(ask=code_of(manifest, release, it.release.build_key))
    return _plan(state, manifest, release, [step], ())


def _plan(state: AppState, manifest: Manifest, release: str, steps: list[EveryStep], notes: tuple[str, ...]) -> Plan:
    return Plan(
        kind=ActKind.REHEARSE,
        app=manifest.app,
        release=release,
        was=state.live,
        url="",
        stages=(Stage(name="rehearse", steps=tuple(steps)),),
        notes=(*notes, "Nothing that runs is changed: a copy of the database is made, used and removed."),
    )
