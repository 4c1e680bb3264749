"""How WebSockets, event streams and slow requests end when their release is replaced, drained and stopped.

    python -m bench.streams [--quick] [--write docs/benchmarks.md]

All are open on a release when traffic is switched to another and the old one is stopped: at the end of its warm time,
and by a deploy that needs its slot. Takes about a minute, with --quick half of one. Exits 1 when one ended otherwise
than it should.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from tests.journeys.open_streams import through_a_switch
from tests.journeys.world import make_world

from bench.report import machine, options, put, table

EACH = 20
SLOW_S, DRAIN_S = 5.0, 8.0
HEAD = ("the old release", "20 of each, open at the switch", "should end", "ended", "last one, after the switch")


def main() -> int:
    asked, on = options(__doc__), machine()
    slow_s, drain_s = (3.0, 4.0) if asked.quick else (SLOW_S, DRAIN_S)
    rows: list[Sequence[object]] = []
    is_met = True
    world = make_world()
    try:
        for is_retired in (True, False):
            kinds = asyncio.run(through_a_switch(world, EACH, slow_s, drain_s, is_retired=is_retired))
            stopped = (
                "stopped at the end of its warm time (0 s)" if is_retired else "stopped by a deploy that needs its slot"
            )
            for kind in kinds:
                ended = ", ".join(f"{count} {how}" for how, count in kind.ends.most_common())
                rows.append((stopped, kind.name, kind.wanted, ended, f"{max(kind.ended_at):.1f} s"))
                is_met &= kind.is_as_wanted and min(kind.ended_at) > 0
    finally:
        world.close()
    about = (
        f"Drain time {drain_s:g} s. Messages and events went both ways all the time; each event stream was compared"
        " with what its release should have sent. 1012 is WebSocket's “service restart”: come again."
        " The app ends its endless event streams when it is asked to stop; those of an app that does not are cut when"
        " its `stop_timeout` is over.\n\n"
    )
    text = about + table(HEAD, rows)
    print(text)
    put(asked.write, "streams", "What is open at a switch", "python -m bench.streams", on, text)
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
