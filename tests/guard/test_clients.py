"""One sick client counts once, and later only rarely."""

from __future__ import annotations

from underway.guard.clients import REMEMBERED, Clients


def test_a_loop_counts_after_pauses_that_double() -> None:
    clients = Clients()
    counted = [second for second in range(1000) if clients.counts("sick", float(second))]
    assert counted == [0, 60, 180, 420, 900]


def test_clients_nobody_can_tell_apart_count_every_time() -> None:
    clients = Clients()
    assert all(clients.counts("", float(second)) for second in range(100))


def test_memory_is_bounded_and_keeps_the_one_that_keeps_coming() -> None:
    clients = Clients()
    counted = 0
    for number in range(20 * REMEMBERED):
        counted += clients.counts("sick", 0.0) if number % 10 == 0 else 0
        clients.counts(f"client-{number}", 0.0)
    assert counted == 1
    assert len(clients.seen) <= REMEMBERED
