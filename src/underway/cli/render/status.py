"""Apps as a person looks at them."""

from __future__ import annotations

import time

from underway.agent.views import AppView, ReleaseView, RolloutView, StatusView
from underway.cli.render.backups import standing_line
from underway.cli.render.terminal import Terminal, clean
from underway.cli.render.words import ago, clock, megabytes, milliseconds, requests, seconds
from underway.terms.count import counted
from underway.terms.outcome import Outcome
from underway.terms.rehearsal import Runs
from underway.terms.verdict import Traffic

_STATES = {"running": "green", "starting": "amber", "backing-off": "amber", "crash-loop": "red", "stopping": "amber"}


def show_status(view: StatusView, terminal: Terminal) -> None:
    t = terminal
    if not view.apps:
        t.line("No app yet. Deploy one: underway deploy PATH")
    width = max((len(app.app) for app in view.apps), default=3)
    for app in view.apps:
        if app.live:
            since = f"since {ago(app.live_since)}" if app.live_since else ""
            running = sum(i.state == "running" and i.release == app.live for i in app.instances)
            memory = sum(i.memory_bytes for i in app.instances)
            dot = t.paint("●" if t.has_unicode else "*", "green")
            t.line(
                f"{dot} {t.paint(f'{app.app:<{width}}', 'bold')}  {app.live}"
                f"  {app.source}  {since}, {running} running, {megabytes(memory)}  {app.url}"
            )
        else:
            t.line(f"{t.paint('○' if t.has_unicode else 'o', 'dim')} {app.app:<{width}}  down")
        _act(app, t)
        if app.backups and app.backups.standing not in ("proven", "off"):
            t.line(f"  {t.mark('warning')} {standing_line(app.app, app.backups, t)}")
        for trouble in app.troubles:
            t.line(f"  {t.mark('warning')} {clean(trouble)}")
    agent = view.agent
    t.line(
        t.paint(
            f"agent {agent.version}, pid {agent.pid}, {megabytes(agent.rss_bytes)}, home {agent.home},"
            f" proxy on port {agent.http_port}",
            "dim",
        )
    )


def show_app(app: AppView, terminal: Terminal) -> None:
    t = terminal
    t.line(f"{t.paint(app.app, 'bold')}  {app.url or 'down'}")
    if app.is_in_maintenance:
        t.line(f"  {t.mark('warning')} visitors get the maintenance page: underway maintenance {app.app} --off")
    if app.hosts:
        t.line(f"  hosts     {', '.join(app.hosts)}")
    if app.live:
        t.line(f"  live      {app.live}  {app.source}" + (f"  since {clock(app.live_since)}" if app.live_since else ""))
    if app.warm:
        left = max(0.0, app.warm_until - time.time())
        t.line(f"  warm      {app.warm}  for {seconds(left)} more: underway rollback {app.app} is instant")
    for instance in app.instances:
        port = f"port {instance.port}  " if instance.port else ""
        t.line(
            f"  {instance.process:<9} {t.paint(instance.state, _STATES.get(instance.state, 'dim'))}  pid {instance.pid}"
            f"  {port}{megabytes(instance.memory_bytes)}  {instance.release}"
            + (f"  {instance.restarts} restarts" if instance.restarts else "")
        )
    if app.backups:
        t.line(f"  {standing_line(app.app, app.backups, t)}")
    for release, traffic in sorted(app.traffic.items()):
        counts = requests(traffic.served, traffic.failed)
        t.line(f"  requests  {release or '(none)'}  {counts}, {_times(traffic)}")
    _act(app, t)
    if app.last and app.last.outcome.value != "live":
        t.line(
            f"  last      {app.last.kind.value} {app.last.release}: {app.last.outcome.value} {clean(app.last.because)}"
        )
    for trouble in app.troubles:
        t.line(f"  {t.mark('warning')} {clean(trouble)}")


def _act(app: AppView, t: Terminal) -> None:
    if act := app.act:
        where = act.step or act.phase
        if it := act.rollout:
            where = f"{100 * it.share:g} % of the visitors get it" if it.share else "live for those who ask for it"
        t.line(f"  {t.mark('arrow')} {act.kind.value} {act.release} under way: {clean(where)}")
        _rollout(act.rollout, t)
    if watch := app.watching:
        t.line(f"  {t.mark('arrow')} {watch.release} is live and watched")
        _rollout(watch.rollout, t)


def _rollout(it: RolloutView | None, t: Terminal) -> None:
    """What was seen of both releases, and what is waited for."""
    if it is None:
        return
    for side in (it.candidate, it.stable):
        if side.requests:
            t.line(f"      {side.release}  {side.requests:,} requests, {side.failed:,} failed")
    held = "held; " if it.is_held else ""
    waits_for = it.paused or it.waiting_for
    if waits_for:
        t.line(f"      {held}waits for {clean(waits_for)}")


def show_releases(releases: list[ReleaseView], terminal: Terminal) -> None:
    t = terminal
    colours = {"live": "green", "warm": "blue", "failed": "red", "pruned": "dim"}
    for it in releases:
        word = "back" if it.outcome is Outcome.ROLLED_BACK and it.state == "failed" else it.state
        state = t.paint(f"{word:<9}", colours.get(it.state, "bold")) if it.state in colours else f"{word:<9}"
        t.line(f"{it.id}  {state}  {clock(it.created_at)}  {it.source:<14}  {seconds(it.duration_s):>7}{_answered(it)}")
        if it.runs_now and it.state in ("warm", "kept") and it.runs_now.runs is not Runs.YES:
            _under(f"on today's schema: {it.runs_now.runs.value}; {it.runs_now.because}", t)
        if it.overdrawn:
            _under(f"released though the error budget was spent: {it.overdrawn}", t)
        if it.verdict and it.has_evidence:
            _under(it.verdict, t)
        elif it.because and it.state == "failed":
            _under(it.because, t)


def _answered(it: ReleaseView) -> str:
    if it.traffic is None or not it.traffic.served + it.traffic.failed:
        return ""
    change = f" ({it.p95_change:+.0%})" if it.p95_change is not None else ""
    number = it.traffic.users_touched
    touched = f", {counted(number, 'user')} touched" if number else ""
    return f"  {requests(it.traffic.served, it.traffic.failed)}, {_times(it.traffic)}{change}{touched}"


def _times(traffic: Traffic) -> str:
    return f"p50 {milliseconds(traffic.p50_ms)}, p95 {milliseconds(traffic.p95_ms)}"


def _under(text: str, t: Terminal) -> None:
    """A sentence below a release, set in."""
    t.paragraph(t.paint(clean(text), "dim"), " " * 12)
