"""How a release takes over: as it was asked, or as the traffic suggests. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from underway.manifest.model import Manifest
from underway.terms.count import counted

CANARY_FROM_PER_S = 0.2
"""Requests per second from which a canary ends within half an hour: at 0.2 a healthy release is fully live after
20 minutes and most bad ones are found; at 0.05 a third of the healthy ones end with a question (guard's simulation)."""

LOOK_BACK_S = 600.0

Strategy = Literal["canary", "blue-green", "instant"]


class Pace(NamedTuple):
    """The requests of the app's users per second, over the last `over_s` seconds."""

    per_s: float = 0.0
    over_s: float = LOOK_BACK_S

    def says(self) -> str:
        """`3.1 requests a second in the last 10 minutes`."""
        minutes = max(round(self.over_s / 60), 1)
        lately = f"in the last {counted(minutes, 'minute')}"
        if self.per_s >= CANARY_FROM_PER_S:
            return f"{self.per_s:.2g} requests a second {lately}"
        count = round(self.per_s * self.over_s)
        return f"{counted(count, 'request')} {lately}"


NO_PACE = Pace()


class Chosen(NamedTuple):
    strategy: Strategy
    because: str


def choose(manifest: Manifest, pace: Pace, asked: str, is_first: bool) -> Chosen:
    """The strategy and why. `asked` is what the command line said, empty for nothing."""
    wanted = asked or manifest.release.strategy
    source = "asked for with --strategy" if asked else "the manifest says so"
    match wanted:
        case "instant":
            return Chosen("instant", source)
        case _ if is_first:
            return Chosen("blue-green", "it is the first release, so there is none to compare it with")
        case "canary":
            slow = pace.per_s < CANARY_FROM_PER_S
            return Chosen("canary", f"{source}; {pace.says()}" + (", which is little to judge by" if slow else ""))
        case "blue-green":
            return Chosen("blue-green", source)
        case _ if pace.per_s >= CANARY_FROM_PER_S:
            return Chosen("canary", pace.says())
        case _:
            return Chosen("blue-green", f"{pace.says()}, too little to compare two releases by")
