"""Watch a release after its switch until the guard has a verdict."""

from __future__ import annotations

from collections import defaultdict

from underway.guard.watch import InstanceSigns, WatchLimits, judge_watch
from underway.journal.app_state import AppState
from underway.plan.model import Watch
from underway.ports.drivers import Drivers
from underway.steps.check_health import accepts
from underway.terms.process import Instance, InstanceState
from underway.terms.verdict import Action, Verdict


async def watch(app: str, release: str, ask: Watch, on: Drivers) -> Verdict:
    """Check health and memory of every instance each `interval_s`; end with CONTINUE or ROLL_BACK."""
    began = on.clock.monotonic()
    failed: dict[str, int] = defaultdict(int)
    why: dict[str, str] = defaultdict(str)
    memory: dict[str, list[int]] = defaultdict(list)
    limits = WatchLimits(failed_health_checks=ask.failed_health_checks, memory_bytes=ask.memory_bytes, for_s=ask.for_s)
    restarts = {i.spec.id: i.restarts for i in _of_release(app, release, on)}
    while True:
        instances = _of_release(app, release, on)
        for instance in instances:
            name = instance.spec.id
            if instance.spec.port:
                failure = await check_once(instance, ask, on)
                failed[name] = failed[name] + 1 if failure else 0
                why[name] = failure
            if sample := on.runtime.sample(name):
                memory[name].append(sample.rss_bytes)
        signs = tuple(
            InstanceSigns(
                name=f"{i.spec.process} {i.spec.number + 1} of {release}",
                failed_in_a_row=failed[i.spec.id],
                last_failure=why[i.spec.id],
                memory_bytes=tuple(memory[i.spec.id][-3:]),
                has_died=i.state is InstanceState.CRASH_LOOP or i.restarts > restarts.get(i.spec.id, 0),
                exit_code=i.exit_code,
            )
            for i in instances
        )
        verdict = judge_watch(limits, signs, on.clock.monotonic() - began)
        if verdict.action is not Action.WAIT:
            return verdict
        await on.clock.sleep(min(ask.interval_s, max(0.05, ask.for_s - (on.clock.monotonic() - began))))


def last_words(state: AppState, release: str, verdict: Verdict) -> tuple[str, ...]:
    """What the instance of the release that ended last wrote before; nothing when the release was not taken back."""
    if verdict.action is not Action.ROLL_BACK:
        return ()
    return next((lost.log_tail for lost in reversed(state.lost) if lost.release == release), ())


def _of_release(app: str, release: str, on: Drivers) -> list[Instance]:
    return [instance for instance in on.runtime.instances(app) if instance.spec.release == release]


async def check_once(instance: Instance, ask: Watch, on: Drivers) -> str:
    """What was wrong with one health check, empty when nothing was."""
    answer = await on.prober.get(instance.spec.port, ask.path, host=ask.host, timeout_s=ask.request_timeout_s)
    if not answer.status:
        return answer.error
    return "" if accepts(ask.status, answer.status) else f"{ask.path} answered {answer.status}"
