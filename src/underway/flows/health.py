"""How an app is, told by the agent for apps that do not say it themselves. Nothing is asked for it: what the monitors
found last is at most one of their intervals old, so no probe of this can become load."""

from __future__ import annotations

import time
from collections.abc import Sequence

from underway.flows.wrongs import disk_severity
from underway.journal.app_state import AppState
from underway.ports.drivers import Drivers
from underway.terms.alert import Severity
from underway.terms.health import AppHealth, Component, Health
from underway.terms.monitor import MonitorKind, MonitorState, MonitorStatus
from underway.terms.process import InstanceState

_STORES = (MonitorKind.POSTGRES, MonitorKind.REDIS)
_SAYS = {
    MonitorState.UP: Health.WELL,
    MonitorState.DOWN: Health.FAIL,
    MonitorState.WAITING: Health.WARN,
    MonitorState.OFFLINE: Health.WARN,
    MonitorState.MAINTENANCE: Health.WARN,
}


def alive(state: AppState, on: Drivers) -> AppHealth:
    """Whether the live release runs."""
    why = ""
    if not state.live:
        why = "no release is live"
    else:
        web = [it for it in on.runtime.instances(state.app) if it.spec.release == state.live]
        web = [it for it in web if it.spec.process == "web"]
        if web and not any(it.state is InstanceState.RUNNING for it in web):
            why = f"none of its {len(web)} web processes runs"
    return _health(state, Health.FAIL if why else Health.WELL, why)


def deep(state: AppState, monitors: Sequence[MonitorStatus], on: Drivers) -> AppHealth:
    """That, its answers to visitors, its database and cache, the disk, and what its manifest monitors.

    What Underway looks after itself is needed; a monitor of the manifest that is down only warns.
    """
    first = alive(state, on)
    if not first.is_well:
        return first
    checks: dict[str, tuple[Component, ...]] = {"disk": (_disk(on),)}
    worst = checks["disk"][0].status
    for it in monitors:
        found = _component(it)
        checks[it.name] = (found,)
        counts = found.status if it.is_own or found.status is not Health.FAIL else Health.WARN
        worst = max(worst, counts, key=list(Health).index)
    return _health(state, worst, "", dict(sorted(checks.items())))


def _health(
    state: AppState, status: Health, why: str, checks: dict[str, tuple[Component, ...]] | None = None
) -> AppHealth:
    live = state.live_release
    version = live.release.source.says() if live else ""
    return AppHealth(status=status, version=version, release_id=state.live, output=why, checks=checks or {})


def _component(it: MonitorStatus) -> Component:
    is_store = it.kind in _STORES
    return Component(
        status=_SAYS[it.state],
        component_type="datastore" if is_store else "component" if it.is_own else "external",
        time=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(it.last_at)) if it.last_at else "",
        observed_value=round(it.took_ms, 1) if it.took_ms else None,
        observed_unit="ms" if it.took_ms else "",
        output="" if it.state is MonitorState.UP else it.says or it.state.value,
    )


def _disk(on: Drivers) -> Component:
    free_bytes, whole_bytes = on.machine.disk_free_bytes(), on.machine.disk_bytes()
    severity = disk_severity(free_bytes, whole_bytes)
    status = Health.WELL if severity is None else Health.FAIL if severity is Severity.CRITICAL else Health.WARN
    free = free_bytes / max(1, whole_bytes)
    return Component(
        status=status,
        component_type="system",
        observed_value=round(100 * free, 1),
        observed_unit="percent free",
        output="" if status is Health.WELL else f"{100 * free:.1f} % of the disk is free",
    )
