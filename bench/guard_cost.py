"""What one request costs the guard, in µs of processor time: `python -m bench.guard_cost`.

A request is counted when it is seen and settled at the next look, one a second. A second in which nothing comes has its
look too; what it costs stands apart. Of several runs the quickest counts: other work on the machine only adds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random

import msgspec

from underway.guard.evidence import Baseline, Evidence, Outcome
from underway.guard.judge import judge
from underway.guard.observe import begin, observe, tick
from underway.guard.policy import Policy

RATES = (0.5, 5, 50, 500, 5000)
REQUESTS, LEAST_S, TRIES = 100_000, 200, 7


def spent_s(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


class Course:
    """So many seconds of traffic at one rate, as it comes: each request with its second."""

    def __init__(self, rps: float) -> None:
        self.policy, chance = Policy(), Random(1)
        self.seconds = max(LEAST_S, min(2000, round(REQUESTS / rps))) if rps < 500 else LEAST_S // 10
        self.state: Evidence = begin(self.policy, Baseline(arrived=600.0 * rps, over_s=600.0), 0.0)
        weight = self.state.weight
        self.number = round(rps * self.seconds)
        self.by_second: list[list[Outcome]] = [[] for _ in range(self.seconds)]
        for number in range(self.number):
            outcome = Outcome(
                is_candidate=chance.random() < weight,
                weight=weight,
                failed=chance.random() < 0.001,
                latency_ms=chance.lognormvariate(4, 0.6),
                client=f"c{chance.randrange(3000)}",
            )
            self.by_second[int(number / rps)].append(outcome)

    def run(self) -> None:
        for second, requests in enumerate(self.by_second):
            for outcome in requests:
                observe(self.policy, self.state, outcome)
            tick(self.policy, self.state, second + 1.0)

    def pass_time(self) -> None:
        """The same seconds without a request."""
        for second in range(self.seconds):
            tick(self.policy, self.state, self.seconds + second + 1.0)


def main() -> None:
    for rps in RATES:
        whole, idle = [], []
        for _ in range(TRIES):
            course = Course(rps)
            whole.append(spent_s(course.run))
            idle.append(spent_s(course.pass_time) / course.seconds)
        all_of_it = min(whole) / course.number
        request = (min(whole) - min(idle) * course.seconds) / course.number
        print(
            f"{rps:6g} rps: {1e6 * request:5.2f} µs a request, settled each second; {1e6 * min(idle):.2f} µs a second"
            f" for the time that passes; {1e6 * all_of_it:.2f} µs a request with it",
            flush=True,
        )
    policy, state = course.policy, course.state
    print(f"one verdict in words: {min(spent_s(lambda: judge(policy, state)) for _ in range(200)) * 1e6:.0f} µs")
    text = msgspec.json.encode(state)
    there_and_back = min(
        spent_s(lambda: msgspec.json.decode(msgspec.json.encode(state), type=Evidence)) for _ in range(50)
    )
    print(f"state: {len(text):,} bytes, there and back {1e3 * there_and_back:.2f} ms")
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
