from __future__ import annotations

import msgspec

from underway.ports.drivers import Drivers
from underway.ports.prober import Probe
from underway.steps.step import Act, Did
from underway.terms.count import counted
from underway.terms.problem import Failure, Problem

PROXY_BACK_S = 3.0
"""The proxy's keeper starts it again within milliseconds; on a busy machine it takes a second to answer."""


class WarmUp(msgspec.Struct, frozen=True, kw_only=True, tag="warm_up", tag_field="step"):
    """Ask the new release through the proxy, by its release header, before any user reaches it.

    It fills caches and pools, and it proves the way a user's request will take.
    """

    release: str
    path: str
    host: str
    requests: int
    instances: int

    id: str = "warm_up"
    is_one_way: bool = False

    def says(self) -> str:
        count = self.requests * self.instances
        return f"send {counted(count, 'warm-up request')} through the proxy"

    def undo_says(self) -> str:
        return "nothing to undo"

    async def apply(self, act: Act, on: Drivers) -> Did:
        slowest = last = 0.0
        for _ in range(self.requests * self.instances):
            answer = await self._ask(on)
            if answer.status == 0 or answer.status >= 500:
                got = f"answered {answer.status}" if answer.status else answer.error
                raise Failure(
                    Problem(
                        code="warm-up.failed",
                        where=f"http://{self.host}:{on.home.http_port}{self.path}",
                        why=f"a warm-up request through the proxy {got}; no user reached the new release",
                        remedy="read the log of the web process",
                        command=f"underway logs {act.app} --process web",
                    )
                )
            last, slowest = answer.took_ms, max(slowest, answer.took_ms)
        return Did(result=f"slowest {slowest:.0f} ms, last {last:.0f} ms")

    async def _ask(self, on: Drivers) -> Probe:
        """One answer. A proxy that says nothing at all is just coming back: it is asked again for a while."""
        deadline = on.clock.monotonic() + PROXY_BACK_S
        while True:
            answer = await on.prober.get(
                on.home.http_port,
                self.path,
                host=self.host,
                timeout_s=10.0,
                headers={"X-Underway-Release": self.release},
            )
            if answer.status or on.clock.monotonic() > deadline:
                return answer
            await on.clock.sleep(0.05)

    async def verify(self, act: Act, on: Drivers) -> None:
        return None

    async def undo(self, act: Act, on: Drivers) -> Did:
        return Did()
