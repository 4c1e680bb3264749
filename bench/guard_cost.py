"""What one request costs the guard, in µs of processor time: `python -m bench.guard_cost`."""

from __future__ import annotations

import time
from random import Random

import msgspec

from underway.guard.evidence import Baseline, Evidence, Outcome
from underway.guard.judge import judge
from underway.guard.observe import begin, observe, tick
from underway.guard.policy import Policy

REQUESTS = 200_000


def main() -> None:
    policy, chance = Policy(), Random(1)
    for rps in (5, 50, 500, 5000):
        state = begin(policy, Baseline(arrived=600.0 * rps, over_s=600.0), 0.0)
        weight = state.weight
        requests = [
            Outcome(
                is_candidate=chance.random() < weight,
                weight=weight,
                failed=chance.random() < 0.001,
                latency_ms=chance.lognormvariate(4, 0.6),
                client=f"c{chance.randrange(3000)}",
            )
            for _ in range(min(REQUESTS, 400 * rps))
        ]
        began = time.process_time()
        for number, request in enumerate(requests):
            observe(policy, state, request)
            if number % rps == 0:
                tick(policy, state, number / rps)
        spent = time.process_time() - began
        print(f"{rps:5d} rps, settled each second: {1e6 * spent / len(requests):6.2f} µs a request", flush=True)
    began = time.process_time()
    for _ in range(200):
        judge(policy, state)
    print(f"one verdict in words: {1e6 * (time.process_time() - began) / 200:.0f} µs")
    text = msgspec.json.encode(state)
    began = time.process_time()
    for _ in range(50):
        msgspec.json.decode(msgspec.json.encode(state), type=Evidence)
    print(f"state: {len(text):,} bytes, there and back {1e3 * (time.process_time() - began) / 50:.2f} ms")


if __name__ == "__main__":
    main()
