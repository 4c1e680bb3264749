"""Gather what a plan is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection
from typing import NamedTuple

from underway.detect.model import Claim
from underway.environment.layers import chain
from underway.flows.environment import EnvAt, require_ready, see
from underway.flows.obstacles import (
    claimed_hosts,
    full_disk,
    held,
    lacking_extensions,
    no_release,
    other_environment,
    spent_budgets,
    taken_port,
    unknown,
)
from underway.flows.pools import pool_notes
from underway.flows.secrets import set_aside
from underway.flows.untaken import untaken_notes
from underway.flows.ways_back import fit_now, point_of, require_back, unfit
from underway.journal.act_state import Phase
from underway.journal.app_state import AppState, ReleaseState
from underway.journal.journal import Journal
from underway.manifest.model import MANIFEST_FILE, Manifest
from underway.manifest.read import read_manifest
from underway.manifest.write import render
from underway.plan.facts import DeployFacts, DownFacts, RollbackFacts
from underway.plan.model import read_plan
from underway.plan.strategy import NO_PACE, Pace
from underway.ports.builds import BuildAsk
from underway.ports.drivers import Drivers
from underway.ports.services import CacheAddress, DatabaseAddress
from underway.steps.route_app import RouteApp
from underway.steps.service_env import service_env
from underway.steps.start_release import StartRelease
from underway.terms.problem import Problem, Refusal
from underway.terms.process import InstanceState
from underway.terms.rehearsal import Runs
from underway.terms.release import release_id, require_app_name
from underway.terms.secret import Secret
from underway.terms.tree import Tree

STAND_IN = "stand-in-while-building-0000000000000000000000000000"
"""What a build sees in place of a secret: long enough for code that checks the length when it is imported."""

_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "package-lock.json", "pnpm-lock.yaml", "yarn.lock")


def no_pace(app: str) -> Pace:
    return NO_PACE


class DeployWishes(NamedTuple):
    """What the person who asked for a deploy wants of it, and what the agent knows of the app's traffic."""

    allow: tuple[str, ...] = ()
    strategy: str = ""
    """Overrules the manifest's; empty does not."""
    pace_of: Callable[[str], Pace] = no_pace
    environment: str = ""
    """Empty: the manifest's own."""
    spend_budget: str = ""
    """Why it is released though the error budget is spent."""


NO_WISHES = DeployWishes()


async def deploy_facts(
    path: str, name: str, on: Drivers, journal: Journal, wishes: DeployWishes = NO_WISHES
) -> tuple[DeployFacts, tuple[Claim, ...]]:
    """Read the repository, the machine and the journal. Raises `Refusal` with everything that stands in the way."""
    if name:
        require_app_name(name)
    read = await read_source(path, name, on, wishes.environment, allow_missing="missing" in wishes.allow)
    tree, text, claims, ask = read.tree, read.text, read.claims, read.ask
    manifest, secrets = set_aside(read.manifest, on.vault.values(read.manifest.app))
    state = journal.state(manifest.app)
    key = on.builds.key(ask)
    is_built = on.builds.find(manifest.app, key) is not None
    problems = [
        *held(state),
        *read.problems,
        *other_environment(state, manifest),
        *claimed_hosts(manifest, text, on),
        *(() if is_built else on.builds.lacks(ask, tree)),
        *spent_budgets(state, on, wishes.spend_budget),
        *full_disk(on),
        *taken_port(on),
        *await lacking_extensions(manifest, on),
    ]
    if problems:
        raise Refusal(problems)
    web = manifest.processes.get("web")
    ports, other_ports = _ports(state, web.instances if web else 0, on, journal)
    facts = DeployFacts(
        release=release_id(on.clock.now(), on.clock.entropy()),
        manifest=manifest,
        secrets=secrets,
        allow=wishes.allow,
        manifest_text=render(manifest),
        ask=ask,
        key=key,
        is_built=is_built,
        migrations=_migrations_digest(manifest, tree),
        state=state,
        ports=ports,
        other_ports=other_ports,
        url=url_of(manifest.app, on),
        notes=(
            *_notes(state, text, ask.source.path, read.remarks),
            *_untaken(read, manifest, state),
            *await pool_notes(manifest, tree, state, on),
        ),
        pace=wishes.pace_of(manifest.app),
        strategy=wishes.strategy,
    )
    return facts, claims


class ReadSource(NamedTuple):
    """What a repository says."""

    tree: Tree
    text: str | None
    """Of its manifest file, None when it has none."""
    manifest: Manifest
    """The whole one, secrets in the clear."""
    written: Collection[str]
    """The top-level keys of that file."""
    draft: Manifest | None
    """What was recognised, whatever that file says; None for nothing."""
    claims: tuple[Claim, ...]
    ask: BuildAsk
    problems: tuple[Problem, ...] = ()
    """What is wrong with its environment, so that it must not be built."""
    remarks: int = 0
    """How much else there is to say of its environment."""


async def read_source(
    path: str, name: str, on: Drivers, environment: str = "", *, allow_missing: bool = False
) -> ReadSource:
    """The tree, the manifest or what was recognised, and what to build of it. Raises `Refusal` when the repository
    has problems of other kinds than its environment's, and then with all of them."""
    seen = await see(EnvAt(path=path, app=name, environment=environment, allow_missing=allow_missing), on)
    if seen.whole.problems:
        require_ready(seen)
    manifest, claims, tree, text = seen.manifest, seen.whole.claims, seen.tree, seen.text
    source = await on.sources.fingerprint(path)
    apart, _ = set_aside(manifest, on.vault.values(manifest.app))
    settings = build_settings(apart)
    ask = BuildAsk(
        app=apart.app,
        source=source,
        build=apart.build,
        static=apart.static,
        has_web="web" in apart.processes,
        env=settings,
    )
    remarks = sum(not it.stops for it in seen.findings)
    written = seen.whole.written.values.keys() if seen.whole.written else ()
    return ReadSource(tree, text, manifest, written, seen.whole.draft, claims, ask, seen.stops, remarks)


def build_settings(manifest: Manifest) -> dict[str, str]:
    """What build commands may read of the app's settings: plain values as they are, and stand-ins of the right shape
    for secrets and services. No secret is part of a build."""
    nowhere = DatabaseAddress(host="127.0.0.1", port=1, user="build", database="build")
    services = service_env(
        manifest.services.postgres if manifest.services.postgres and not manifest.services.postgres.url else None,
        manifest.services.redis if manifest.services.redis and not manifest.services.redis.url else None,
        database=nowhere,
        database_password=Secret("build"),
        cache=CacheAddress(host="127.0.0.1", port=1),
        cache_password=Secret("build"),
    )
    values = {name: value.reveal() for name, value in services.items()}
    for name, variable in manifest.env.items():
        if not variable.is_built_with or variable.source or (not variable.value and variable.default):
            continue
        is_secret = variable.secret or bool(variable.generate) or not variable.value
        values[name] = STAND_IN if is_secret else variable.value
    for layer in chain(manifest, manifest.environment)[1:]:
        keys = manifest.environments.get(layer)
        for name, value in (keys.env if keys else {}).items():
            declared = manifest.env.get(name)
            if declared is not None and not declared.is_secret and declared.is_built_with:
                values[name] = value
    return dict(sorted(values.items()))


def url_of(app: str, on: Drivers) -> str:
    port = "" if on.home.http_port == 80 else f":{on.home.http_port}"
    return f"http://{app}.localhost{port}"


class RollbackWishes(NamedTuple):
    """What the person who asked for a rollback wants of the data: nothing, the code alone whatever is known, the data
    of a backup (`restore`), or the migration run back (`is_back`), which may lose what is counted then (`may_lose`)."""

    is_code_only: bool = False
    restore: str = ""
    is_back: bool = False
    may_lose: bool = False


CODE_IF_IT_RUNS = RollbackWishes()


async def rollback_facts(
    app: str, to: str, on: Drivers, journal: Journal, wishes: RollbackWishes = CODE_IF_IT_RUNS
) -> RollbackFacts:
    """Where a rollback would go. Raises `Refusal` when there is nothing to go back to, and where no wish says otherwise
    when the code is not known to run on the database as it is now."""
    state = journal.state(require_app_name(app))
    if problems := [*unknown(state), *held(state)]:
        raise Refusal(problems)
    release = state.releases.get(to) if to else _newest_before_live(state)
    if release is None or release.is_pruned or release.release.id == state.live:
        raise Refusal([no_release(state, to)])
    target = release.release.id
    manifest = read_manifest(release.manifest)
    fit = await fit_now(state, target, on)
    point = point_of(state, wishes.restore, on) if wishes.restore else None
    back = require_back(state, fit, on) if wishes.is_back else None
    if fit.runs is not Runs.YES and not wishes.is_code_only and point is None and back is None:
        raise Refusal([await unfit(state, fit, on)])
    live = state.live_release
    web = manifest.processes.get("web")
    slot = state.slots.get(state.idle_slot)
    ports, other_ports = _ports(state, web.instances if web else 0, on, journal)
    is_warm = bool(slot and slot.release == target and _all_run(app, target, web.instances if web else 0, on))
    return RollbackFacts(
        state=state,
        to=target,
        manifest=manifest,
        key=release.release.build_key,
        is_warm=is_warm,
        fit=fit,
        point=point.backup if point else None,
        back=back,
        may_lose=wishes.may_lose,
        safety=release_id(on.clock.now(), on.clock.entropy()) if point or back else "",
        ports=slot.ports if slot and is_warm else ports,
        other_ports=other_ports,
        url=url_of(app, on),
        live_manifest=read_manifest(live.manifest) if live else None,
        live_key=live.release.build_key if live else "",
    )


def down_facts(app: str, on: Drivers, journal: Journal) -> DownFacts:
    state = journal.state(require_app_name(app))
    if problems := [*unknown(state), *held(state)]:
        raise Refusal(problems)
    has_cache = any(read_manifest(r.manifest).services.redis for r in state.releases.values() if not r.is_pruned)
    return DownFacts(state=state, instances=tuple(on.runtime.instances(app)), has_cache=has_cache)


def _newest_before_live(state: AppState) -> ReleaseState | None:
    earlier = [it for r, it in state.releases.items() if it.live_since and not it.is_pruned and r < state.live]
    return max(earlier, key=lambda it: it.release.id, default=None)


def _all_run(app: str, release: str, wanted: int, on: Drivers) -> bool:
    running = [
        i
        for i in on.runtime.instances(app)
        if i.spec.release == release and i.spec.process == "web" and i.state is InstanceState.RUNNING
    ]
    return len(running) >= wanted


def _ports(state: AppState, count: int, on: Drivers, journal: Journal) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ports for the idle slot and for the other one.

    A slot keeps its ports as long as they are free and as many as before: then the proxy need not be reloaded.
    The first deploy sets aside as many for the slot that the next one will use.
    """
    slot = state.idle_slot
    known = {s.slot: s.ports for s in state.route.slots} if state.route else {}
    others = _set_aside(state.app, on, journal)
    before, other = known.get(slot, ()), known.get(slot.other, ())
    holder = state.slots.get(slot)
    is_usable = not any(on.machine.stranger_on(port) for port in before) if holder else on.machine.are_free(before)
    if not count:
        return (), other if state.live else ()
    if len(before) != count or not is_usable:
        first = on.machine.free_block(count, {*other, *(holder.ports if holder else ()), *others})
        before = tuple(range(first, first + count))
    if not state.live:
        first = on.machine.free_block(count, {*before, *others})
        other = tuple(range(first, first + count))
    return before, other


def _set_aside(app: str, on: Drivers, journal: Journal) -> set[int]:
    """The ports that other apps have or are about to take; nothing need listen on them yet."""
    routes = [route for route in on.routes.all() if route.app != app]
    ports: set[int] = set()
    for state in journal.states().values():
        if state.app == app:
            continue
        ports.update(port for slot in state.slots.values() for port in slot.ports)
        if state.act and state.act.phase is not Phase.STARTED:
            for step in read_plan(state.act.plan).steps:
                if isinstance(step, StartRelease):
                    ports.update(step.ports)
                elif isinstance(step, RouteApp):
                    routes.append(step.route)
    return ports | {port for route in routes for slot in route.slots for port in slot.ports}


def _migrations_digest(manifest: Manifest, tree: Tree) -> str:
    """Equal digests mean that there is nothing new to migrate: same migration files, same locked dependencies."""
    if manifest.migrate is None or not manifest.migrate.paths:
        return ""
    prefixes = tuple(f"{path.strip('/')}/" for path in manifest.migrate.paths)
    digest = hashlib.sha256(manifest.migrate.command.encode())
    for path in tree.paths:
        name = path.rpartition("/")[2]
        is_lock = name in _LOCKS or (name.startswith("requirements") and name.endswith(".txt"))
        if is_lock or path in manifest.migrate.paths or path.startswith(prefixes):
            digest.update(path.encode(errors="surrogateescape") + b"\0" + tree.text(path).encode() + b"\0")
    return digest.hexdigest()[:16]


def _untaken(read: ReadSource, manifest: Manifest, state: AppState) -> list[str]:
    if read.draft is None or not {"processes", "build"} & set(read.written):
        return []
    live = read_manifest(state.live_release.manifest) if state.live_release else None
    return untaken_notes(manifest, read.written, read.draft, live)


def _notes(state: AppState, text: str | None, source: str, remarks: int) -> tuple[str, ...]:
    notes = []
    if text is None:
        notes.append(f"There is no {MANIFEST_FILE}: this is what was recognised. `underway init` writes it down.")
    if remarks:
        count = f"{remarks} things are" if remarks > 1 else "One thing is"
        notes.append(f"{count} to be said of its environment: `underway env check`.")
    if state.path and state.path != source:
        notes.append(f"The last deploy of {state.app} came from {state.path}, this one comes from {source}.")
    return tuple(notes)
