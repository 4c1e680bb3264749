"""What stands in the way of an act, all of it at once, before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence

from underway.flows.budgets import overspent
from underway.journal.app_state import AppState
from underway.manifest.model import MANIFEST_FILE, Manifest
from underway.manifest.read import read_manifest, read_written
from underway.ports.drivers import Drivers
from underway.steps.provision import missing_extensions
from underway.terms.problem import Problem
from underway.terms.release import no_such_app

DISK_NEEDED_BYTES = 200_000_000
"""Below this much free space no build is begun."""


def held(state: AppState) -> Sequence[Problem]:
    act = state.act
    if act is None or state.is_free:
        return ()
    return [
        Problem(
            code="lease.held",
            where=state.app,
            why=f"a {act.kind.value} of {state.app} is under way (release {act.release})",
            remedy="wait for it to end, or give --wait to queue behind it",
            command=f"underway events {state.app} -f",
        )
    ]


def unknown(state: AppState) -> Sequence[Problem]:
    if state.releases:
        return ()
    return [no_such_app(state.app)]


def no_release(state: AppState, to: str) -> Problem:
    there = [r for r, it in sorted(state.releases.items()) if it.live_since and not it.is_pruned and r != state.live]
    named = f"there is no release {to[:40]!r} to go back to" if to else "there is no earlier release to go back to"
    if to and to == state.live:
        named = f"{to} is the release that is live"
    return Problem(
        code="release.not-found",
        where=state.app,
        why=named + (f"; there are {', '.join(there)}" if there else ""),
        remedy="choose one of the releases that are kept; nothing was changed",
        command=f"underway releases {state.app}",
    )


def other_environment(state: AppState, manifest: Manifest) -> Sequence[Problem]:
    """The app runs for another environment, and this deploy would take its place and its data."""
    live = state.live_release
    was = read_manifest(live.manifest).environment if live else manifest.environment
    if was == manifest.environment:
        return ()
    return [
        Problem(
            code="env.switch",
            where=f"{state.app} {manifest.environment}",
            why=f"{state.app} runs in {was}; a deploy for {manifest.environment} would take its place and its database",
            remedy="let it run beside that one under a name of its own",
            command=f"underway deploy --env {manifest.environment} --app {state.app}-{manifest.environment}"[:120],
        )
    ]


def claimed_hosts(manifest: Manifest, text: str | None, on: Drivers) -> Sequence[Problem]:
    """Host names of this app that another app has. `text` is the manifest's file, for the line."""
    owners = {host: route.app for route in on.routes.all() if route.app != manifest.app for host in route.hosts}
    line = read_written(text).lines.line_of(("domains",)) if text else 0
    problems = [
        Problem(
            code="domain.taken",
            where=f"{MANIFEST_FILE}:{line} domains" if line else f"domains {domain}",
            why=f"{domain} belongs to the app {owners[domain]}",
            remedy=f"take it out of one of the two manifests, or take {owners[domain]} down",
            command=f"underway down {owners[domain]}",
        )
        for domain in manifest.domains
        if domain in owners
    ]
    own = f"{manifest.app}.localhost"
    if own in owners:
        problems.append(
            Problem(
                code="domain.taken",
                where=f"app {manifest.app}",
                why=f"an app answers on its name, {own}, and that is a domain of the app {owners[own]}",
                remedy=f"give this app another name, or take {own} out of the domains of {owners[own]}",
                command="underway deploy --app ANOTHER-NAME",
            )
        )
    return problems


def spent_budgets(state: AppState, on: Drivers, reason: str) -> Sequence[Problem]:
    """Error budgets that are gone, unless a reason is given to release all the same."""
    if reason.strip():
        return ()
    return [
        Problem(
            code="slo.budget-spent",
            where=f"{state.app} {it.name}",
            why=f"the error budget {it.name} of {state.app} is spent: {it.says}, and {100 * it.objective:g} % were "
            "promised to be",
            remedy="mend what fails before anything new is released; what mends it, or cannot wait, is released with a "
            "reason that is kept with it. A rollback needs none",
            command='underway deploy --spend-budget "REASON"',
        )
        for it in overspent(state, on.metrics, on.clock.now())
    ]


def full_disk(on: Drivers) -> Sequence[Problem]:
    free = on.machine.disk_free_bytes()
    if free >= DISK_NEEDED_BYTES:
        return ()
    return [
        Problem(
            code="machine.disk-full",
            where=str(on.home.root),
            why=f"{free / 1e6:.0f} MB are free; a build needs at least {DISK_NEEDED_BYTES / 1e6:.0f} MB",
            remedy="make room, or move the home with UNDERWAY_HOME",
            command=f"df -h {on.home.root}",
        )
    ]


def taken_port(on: Drivers) -> Sequence[Problem]:
    """The proxy's port is somebody else's: told before anything is built."""
    port = on.home.http_port
    stranger = on.machine.stranger_on(port)
    if not stranger:
        return ()
    other = port + 1 if port < 65_535 else 8080
    return [
        Problem(
            code="proxy.port-taken",
            where=f"port {port}",
            why=f"{stranger} has the port that the proxy of this home listens on",
            remedy="stop that process, or give the proxy another port: restart the agent with UNDERWAY_HTTP_PORT",
            command=f"underway agent stop; UNDERWAY_HTTP_PORT={other} underway agent start",
        )
    ]


async def lacking_extensions(manifest: Manifest, on: Drivers) -> Sequence[Problem]:
    postgres = manifest.services.postgres
    if postgres is None or postgres.url or not postgres.extensions:
        return ()
    await on.database.start()
    missing = await on.database.missing_extensions(postgres.extensions)
    return [missing_extensions(missing)] if missing else ()
