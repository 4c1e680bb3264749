from __future__ import annotations

import msgspec

from underway.errors.told import told_in
from underway.errors.unset import settings_in
from underway.manifest.model import Health
from underway.ports.drivers import Drivers
from underway.ports.prober import Probe
from underway.steps.step import Act, Did
from underway.terms.count import counted
from underway.terms.problem import Failure, Problem
from underway.terms.process import Instance, InstanceState


def accepts(accepted: str, status: int) -> bool:
    """True when `status` is in `accepted`: "200-299", "200,204", "below-500"."""
    if accepted.startswith("below-"):
        return 100 <= status < int(accepted.removeprefix("below-"))
    spans = (part.partition("-") for part in accepted.split(","))
    return any(int(low) <= status <= int(high or low) for low, _, high in spans)


_WHERE_ERRORS_ARE = 300
"""So many of its last lines are looked through for what it died of."""


class CheckHealth(msgspec.Struct, frozen=True, kw_only=True, tag="check_health", tag_field="step"):
    """Wait until every new instance gave several good answers in a row. One lucky answer is not health."""

    release: str
    health: Health
    host: str

    id: str = "health"
    is_one_way: bool = False

    def says(self) -> str:
        count = self.health.successes
        answers = f"{count} healthy answers in a row" if count > 1 else "a healthy answer"
        return f"wait for {answers} from {self.health.path} of each instance"

    def undo_says(self) -> str:
        return "nothing to undo"

    async def apply(self, act: Act, on: Drivers) -> Did:
        deadline = on.clock.monotonic() + self.health.timeout_s
        asked, poor = 0, 0
        for instance in _web_of(act.app, self.release, on):
            in_a_row = 0
            last = Probe(status=0, took_ms=0.0, error="not asked yet")
            while in_a_row < self.health.successes:
                self._require_alive(instance.spec.id, act, on)
                last = await self._ask(instance, on)
                asked += 1
                is_good = accepts(self.health.status, last.status) and on.runtime.owns_port(instance.spec.id)
                in_a_row = in_a_row + 1 if is_good else 0
                if 300 <= last.status < 400 and not is_good:
                    raise Failure(self._redirects(act, last), on.runtime.log_tail(instance.spec.id))
                if in_a_row >= self.health.successes:
                    poor = last.status if last.status >= 400 else poor
                    break
                if on.clock.monotonic() > deadline:
                    self._require_alive(instance.spec.id, act, on, may_restart=False)
                    raise Failure(self._unhealthy(instance, last, act, on), on.runtime.log_tail(instance.spec.id))
                await on.clock.sleep(self.health.interval_s if last.status else min(0.05, self.health.interval_s))
        return Did(result=counted(asked, "answer") + (f"; {self.health.path} answers {poor}" if poor else ""))

    async def _ask(self, instance: Instance, on: Drivers) -> Probe:
        return await on.prober.get(
            instance.spec.port,
            self.health.path,
            host=self.health.host or self.host,
            timeout_s=self.health.request_timeout_s,
        )

    def _require_alive(self, instance_id: str, act: Act, on: Drivers, *, may_restart: bool = True) -> None:
        """Raise `Failure` when the instance ended: twice, or at all where it `may_restart` no more."""
        found = next((i for i in on.runtime.instances(act.app) if i.spec.id == instance_id), None)
        is_looping = found is None or found.state is InstanceState.CRASH_LOOP
        if found and not is_looping and (found.restarts < 2 if may_restart else found.exit_code is None):
            return
        code = found.exit_code if found else None
        tail = on.runtime.log_tail(instance_id, _WHERE_ERRORS_ARE)
        error, settings = told_in(tail), settings_in(tail)
        of = f": {error}" if error else ""
        raise Failure(
            Problem(
                code="health.died",
                where=f"process web of {self.release}",
                why=f"it ended with exit code {code} before it was healthy{of}; no traffic reached it",
                remedy=settings.remedy()
                if settings
                else "read its last lines below; what they name is usually a missing setting or a failed import",
                command=settings.command() if settings else f"underway logs {act.app} --process web",
            ),
            on.runtime.log_tail(instance_id),
        )

    def _redirects(self, act: Act, last: Probe) -> Problem:
        to = _path_of(last.location)
        is_slash = to.strip("/") == self.health.path.strip("/") and to != self.health.path
        better = f'path = "{to}"' if is_slash else "the path of a page that answers by itself"
        return Problem(
            code="health.redirects",
            where=f"underway.toml health.path = {self.health.path!r}",
            why=f"it answered {last.status} and sends on to {last.location[:200] or 'nowhere'}; a redirect proves"
            " little, so no traffic reached it",
            remedy=f'write under [health]: {better}, or accept the redirect: status = "{last.status}"',
            command=f"underway logs {act.app} --process web",
        )

    def _elsewhere(self, instance: Instance, others: tuple[int, ...], act: Act) -> Problem:
        ports = " and ".join(str(port) for port in others)
        return Problem(
            code="health.wrong-port",
            where=f"processes.web.command: {instance.spec.command}",
            why=f"it listens on port {ports} and not on port {instance.spec.port}, which it was given in PORT; it was"
            f" not healthy within {self.health.timeout_s:g} s, so no traffic reached it",
            remedy="let the command listen on 127.0.0.1 and $PORT, for instance with --port $PORT",
            command=f"underway logs {act.app} --process web",
        )

    def _unhealthy(self, instance: Instance, last: Probe, act: Act, on: Drivers) -> Problem:
        others = on.runtime.listens_on(instance.spec.id)
        if others and instance.spec.port not in others:
            return self._elsewhere(instance, others, act)
        got = f"answered {last.status}" if last.status else f"gave no answer ({last.error})"
        if not others:
            got += " and it listens on no port"
        return Problem(
            code="health.failed",
            where=f"http://127.0.0.1:{instance.spec.port}{self.health.path}",
            why=f"the last of its checks {got}; it was not healthy within {self.health.timeout_s:g} s, so no traffic"
            f" reached it (accepted: {self.health.status})",
            remedy=_remedy(last.status),
            command=f"underway logs {act.app} --process web",
        )

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()


def _remedy(status: int) -> str:
    """What helps against the last answer (0 for none), with the lines of underway.toml that would say so."""
    if not status:
        return 'see in its log what it waits for; where it only needs longer, write under [health]: timeout = "180s"'
    page = 'write under [health] the path of a page that needs no login: path = "/login"'
    if status >= 500:
        return f"mend what its log says; or, where this page alone fails, {page}"
    return f'{page}, or accept what it answers: status = "{status}"'


def _web_of(app: str, release: str, on: Drivers) -> list[Instance]:
    found = [i for i in on.runtime.instances(app) if i.spec.release == release and i.spec.process == "web"]
    return sorted(found, key=lambda i: i.spec.number)


def _path_of(location: str) -> str:
    if "://" in location:
        location = "/" + location.split("://", 1)[1].partition("/")[2]
    return location.split("?")[0][:200]
