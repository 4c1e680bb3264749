"""What a rehearsal would try."""

from __future__ import annotations

from underway.detect.model import Claim
from underway.flows.facts import deploy_facts
from underway.flows.obstacles import held, no_release, unknown
from underway.journal.journal import Journal
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.plan.model import Plan
from underway.plan.rehearse import plan_rehearsal, plan_trial
from underway.ports.drivers import Drivers
from underway.terms.problem import Problem, Refusal
from underway.terms.release import require_app_name


async def rehearsal_plan(app: str, release: str, on: Drivers, journal: Journal) -> tuple[Plan, int, tuple[Claim, ...]]:
    """The plan, what it rests on, and what was recognised. Without a release, of the source that was deployed last.

    Raises `Refusal` when there is no such app or release, or no database of ours to copy.
    """
    state = journal.state(require_app_name(app))
    if problems := [*unknown(state), *held(state)]:
        raise Refusal(problems)
    if release:
        it = state.releases.get(release)
        if it is None or it.is_pruned:
            raise Refusal([no_release(state, release)])
        manifest = read_manifest(it.manifest)
        if not _has_database(manifest) or "web" not in manifest.processes:
            raise Refusal([_nothing(app)])
        return plan_trial(state, release), state.as_of, ()
    facts, claims = await deploy_facts(state.path, app, on, journal)
    in_files = facts.manifest.services.postgres is None and bool(facts.manifest.shared)
    if not (in_files or _has_database(facts.manifest)) or facts.manifest.migrate is None:
        raise Refusal([_nothing(app)])
    return plan_rehearsal(facts), state.as_of, claims


def _has_database(manifest: Manifest) -> bool:
    postgres = manifest.services.postgres
    return postgres is not None and not postgres.url


def _nothing(app: str) -> Problem:
    return Problem(
        code="rehearse.nothing",
        where=app,
        why=f"{app} has no database that can be copied, or no migrations to try",
        remedy="a rehearsal needs [migrate], and copies a database that Underway provides ([services] postgres = true)"
        " or SQLite files among what is shared; an older release is tried on the former alone",
        command=f"underway status {app}",
    )
