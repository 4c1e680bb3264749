"""Read what is pending in a repository, without deploying it."""

from __future__ import annotations

from underway.flows.facts import read_source
from underway.journal.journal import Journal
from underway.lint.lint import mark_allowed
from underway.plan.deploy import allowed, live_key
from underway.plan.parts import env_of
from underway.ports.drivers import Drivers
from underway.ports.migrations import Pending
from underway.steps.lint_migrations import Linted, linted_migrations
from underway.terms.problem import Refusal
from underway.terms.release import release_id, require_app_name


async def lint_source(path: str, name: str, on: Drivers, journal: Journal) -> Linted:
    """Build the source, or take its build, and read what a deploy of it would do to the database. The build is what a
    deploy takes; nothing else is changed.

    Raises `Refusal` for what is no app, and the `Failure`s of a build.
    """
    if name:
        require_app_name(name)
    read = await read_source(path, name, on)
    manifest = read.manifest
    if read.problems:
        raise Refusal(read.problems)
    if manifest.migrate is None:
        return Linted(pending=Pending(why_not="the app has no migrations: there is no [migrate]"))
    if found := on.builds.lacks(read.ask, read.tree):
        raise Refusal(found)
    state = journal.state(manifest.app)
    was = on.builds.find(manifest.app, live_key(state)) if state.live else None
    build = await on.builds.make(read.ask, lambda line: None)
    linted = await linted_migrations(
        manifest.app,
        release_id(on.clock.now(), on.clock.entropy()),
        manifest.migrate,
        env_of(manifest, ""),
        build,
        was.dir if was else "",
        on,
        is_new=not state.releases,
    )
    why = allowed(manifest.migrate, ())
    return Linted(pending=linted.pending, hazards=mark_allowed(linted.hazards, why) if why else linted.hazards)
