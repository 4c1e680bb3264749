"""Steps that several plans share."""

from __future__ import annotations

from underway.environment.layers import chain
from underway.guard.policy import Limits, Margins, Policy, WhenQuiet
from underway.journal.app_state import AppState
from underway.manifest.model import Manifest, Process
from underway.plan.facts import route_for
from underway.plan.model import Rollout, Watch
from underway.plan.strategy import Strategy
from underway.steps.back_up import BackupAsk
from underway.steps.check_health import CheckHealth
from underway.steps.environment import EnvAsk
from underway.steps.every_step import EveryStep
from underway.steps.free_slot import FreeSlot
from underway.steps.probe_release import ProbeRelease, Probing
from underway.steps.route_app import RouteApp
from underway.steps.start_release import StartRelease, SwapWorkers
from underway.steps.try_code import CodeAsk
from underway.steps.warm_up import WarmUp
from underway.terms.backup import Reason
from underway.terms.release import Slot
from underway.terms.route import AppRoute


def host_of(manifest: Manifest) -> str:
    """The host name under which the app can always be reached on this machine."""
    return f"{manifest.app}.localhost"


def env_of(manifest: Manifest, release: str) -> EnvAsk:
    return EnvAsk(
        app=manifest.app,
        release=release,
        host=host_of(manifest),
        variables=dict(manifest.env),
        postgres=manifest.services.postgres,
        redis=manifest.services.redis,
        name=manifest.environment,
        vault=manifest.vault,
        layers=chain(manifest, manifest.environment),
        overlays={name: dict(keys.env) for name, keys in manifest.environments.items()},
    )


def backup_ask(manifest: Manifest, backup_id: str, reason: Reason, state: AppState) -> BackupAsk:
    """All of the app's data that Underway keeps."""
    postgres = manifest.services.postgres
    return BackupAsk(
        app=manifest.app,
        id=backup_id,
        reason=reason,
        has_postgres=postgres is not None and not postgres.url,
        shared=manifest.shared,
        recipients=manifest.backup.recipients,
        release=state.live,
        migrations=state.migrations,
    )


def code_of(manifest: Manifest, release: str, key: str) -> CodeAsk:
    """A release as it can be tried against a database of its own."""
    return CodeAsk(
        release=release,
        key=key,
        web=manifest.processes.get("web"),
        env=env_of(manifest, release),
        health=manifest.health,
        smokes=manifest.smokes,
        journeys=manifest.journeys,
    )


def workers_of(manifest: Manifest | None) -> dict[str, Process]:
    return {name: keys for name, keys in manifest.processes.items() if name != "web"} if manifest else {}


def free_slot(slot_holder: str, slot: Slot, drain_s: float) -> list[EveryStep]:
    return [FreeSlot(release=slot_holder, slot=slot, drain_s=drain_s)] if slot_holder else []


def start_steps(
    manifest: Manifest,
    release: str,
    key: str,
    slot: Slot,
    ports: tuple[int, ...],
    other_ports: tuple[int, ...],
    former: AppRoute | None,
    *,
    is_probed: bool = False,
) -> list[EveryStep]:
    """Start the release on a slot, wait for health, route it where needed, warm it up, and probe it if asked."""
    web = manifest.processes.get("web")
    host = host_of(manifest)
    steps: list[EveryStep] = [
        StartRelease(release=release, key=key, slot=slot, ports=ports, web=web, env=env_of(manifest, release))
    ]
    if web:
        steps.append(CheckHealth(release=release, health=manifest.health, host=host))
    route = route_for(manifest, slot, ports, other_ports)
    if route != former:
        steps.append(RouteApp(route=route, slot=slot, former=former))
    path = manifest.health.path if web or not manifest.static else manifest.static.url
    if manifest.release.warm_up:
        steps.append(
            WarmUp(release=release, path=path, host=host, requests=manifest.release.warm_up, instances=len(ports) or 1)
        )
    if is_probed and (probing := probing_of(manifest, release)):
        steps.append(ProbeRelease(probing=probing))
    return steps


def swap_workers(
    manifest: Manifest, release: str, key: str, slot: Slot, was: Manifest | None, was_release: str, was_key: str
) -> list[EveryStep]:
    """One step when either release has workers, else none."""
    workers, was_workers = workers_of(manifest), workers_of(was)
    if not workers and not was_workers:
        return []
    return [
        SwapWorkers(
            release=release,
            key=key,
            slot=slot,
            workers=workers,
            env=env_of(manifest, release),
            was=was_release if was_workers else "",
            was_key=was_key,
            was_slot=slot.other if was_workers else None,
            was_workers=was_workers,
            was_env=env_of(was, was_release) if was and was_workers else None,
        )
    ]


THOROUGH = 2.2
"""The last step before everybody lasts up to so many times a step's least time, where few requests come."""
SETTLE_S = 5.0
"""A deploy waits this long after the switch before it says that the release is live; the rest of the watch goes on
without it."""


def watch_of(manifest: Manifest, strategy: Strategy) -> Watch | None:
    """How the release is watched right after the switch; None for the instant strategy."""
    if strategy == "instant" or manifest.release.watch_s <= 0:
        return None
    return _watch(manifest)


def watch_after_s(manifest: Manifest, strategy: str) -> float:
    """How long the watch lasts that goes on after a deploy has ended; 0 for none."""
    is_wanted = strategy in ("canary", "blue-green") and manifest.release.watch_s > SETTLE_S
    return manifest.release.watch_s if is_wanted else 0.0


def probing_of(manifest: Manifest, release: str) -> Probing | None:
    """What `release` is probed with, None when the manifest says nothing."""
    if not manifest.smokes and not manifest.journeys:
        return None
    return Probing(
        release=release,
        host=host_of(manifest),
        env=env_of(manifest, release),
        smokes=manifest.smokes,
        journeys=manifest.journeys,
    )


def rollout_of(
    manifest: Manifest, slot: Slot, release: str, stable: str, steps: tuple[int, ...], *, is_watch: bool = False
) -> Rollout:
    """How `release` on `slot` earns its traffic against `stable`, or is watched with all of it."""
    keys, web = manifest.release, manifest.processes.get("web")
    policy = Policy(
        steps=tuple(step / 100 for step in steps),
        margins=Margins(
            error_ratio=keys.margins.error_ratio,
            error_margin=keys.margins.error_margin,
            slower_ask=1 + keys.margins.slower_ask,
            slower_back=1 + keys.margins.slower,
        ),
        step_s=keys.step_s,
        thorough_s=THOROUGH * keys.step_s,
        bake_s=keys.watch_s,
        patience_s=keys.patience_s,
        when_quiet=WhenQuiet(keys.when_quiet),
        probes_may_promote=keys.probes_promote,
        limits=Limits(
            failed_health_checks=keys.limits.failed_health_checks,
            error_rate=keys.limits.error_rate,
            p95_ms=keys.limits.p95_ms,
            memory_bytes=keys.limits.memory_bytes,
        ),
        processes_per_side=web.instances if web else 1,
    )
    return Rollout(
        policy=policy,
        slot=slot,
        stable=stable,
        health=_watch(manifest),
        approve=keys.approve,
        windows=keys.windows,
        probing=probing_of(manifest, release),
        is_watch=is_watch,
    )


def _watch(manifest: Manifest) -> Watch:
    keys = manifest.release
    return Watch(
        for_s=min(keys.watch_s, SETTLE_S),
        path=manifest.health.path,
        status=manifest.health.status,
        host=manifest.health.host or host_of(manifest),
        interval_s=0.5,
        request_timeout_s=manifest.health.request_timeout_s,
        failed_health_checks=keys.limits.failed_health_checks,
        memory_bytes=keys.limits.memory_bytes,
    )


def bring_back_steps(manifest: Manifest, release: str, key: str, slot: Slot, ports: tuple[int, ...]) -> list[EveryStep]:
    """Start a release that should be running on its slot. What runs already is left alone."""
    web = manifest.processes.get("web")
    return [
        StartRelease(release=release, key=key, slot=slot, ports=ports, web=web, env=env_of(manifest, release)),
        *swap_workers(manifest, release, key, slot, None, "", ""),
    ]
