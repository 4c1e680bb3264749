"""Who is told what, and when: once per channel, unless somebody acknowledged, silenced, or it is night."""

from __future__ import annotations

import msgspec
import pytest

from underway.alerts.outbox import Reach, due, retry_in_s
from underway.terms.alert import Alert, AlertStanding, Severity, Telling
from underway.terms.problem import Problem

NOW = 1_700_000_000.0
TEAM = Reach("team")


def alert(number: int = 1, severity: Severity = Severity.CRITICAL, **changes: object) -> Alert:
    made = Alert(
        app="shop",
        key=f"monitor {number}",
        id=f"shop-{number}",
        problem=Problem(code="app.down", where="shop", why="it is down", remedy="look"),
        severity=severity,
        standing=AlertStanding.OPEN,
        since=NOW - 20,
        raised_at=NOW,
    )
    return msgspec.structs.replace(made, **changes)


def telling(channel: str = "team", what: str = "raised") -> Telling:
    return Telling(at=NOW, channel=channel, what=what)


def test_every_channel_is_told_once() -> None:
    found = due([alert()], [], [], [TEAM, Reach("boss")], NOW)
    assert [(it.channel, it.what, it.alerts) for it in found] == [
        ("team", "raised", ("shop-1",)),
        ("boss", "raised", ("shop-1",)),
    ]
    told = alert(told=(telling(),))
    assert [it.channel for it in due([told], [], [], [TEAM, Reach("boss")], NOW)] == ["boss"]
    assert due([alert()], [], [("team", "raised", ("shop-1",))], [TEAM], NOW) == []


def test_the_same_alerts_always_make_the_same_message() -> None:
    first, second = due([alert(1), alert(2)], [], [], [TEAM], NOW), due([alert(2), alert(1)], [], [], [TEAM], NOW + 5)
    assert first == second
    assert first[0].alerts == ("shop-1", "shop-2")


def test_alerts_of_one_moment_come_in_one_message_where_the_channel_can() -> None:
    alerts = [alert(number) for number in range(5)]
    assert len(due(alerts, [], [], [TEAM], NOW)) == 1
    assert len(due(alerts, [], [], [Reach("pager", is_grouping=False)], NOW)) == 5


@pytest.mark.parametrize("standing", [AlertStanding.ACKNOWLEDGED, AlertStanding.SILENCED])
def test_what_somebody_took_or_silenced_is_told_to_nobody_else(standing: AlertStanding) -> None:
    assert due([alert(standing=standing)], [], [], [TEAM], NOW) == []


def test_an_escalation_waits_and_an_acknowledgement_ends_it() -> None:
    boss = Reach("boss", after_s=900)
    assert due([alert()], [], [], [boss], NOW + 899) == []
    assert len(due([alert()], [], [], [boss], NOW + 900)) == 1
    assert due([alert(standing=AlertStanding.ACKNOWLEDGED)], [], [], [boss], NOW + 900) == []


def test_a_channel_hears_only_what_is_severe_enough() -> None:
    pager = Reach("pager", severity=Severity.CRITICAL)
    assert due([alert(severity=Severity.WARNING)], [], [], [pager], NOW) == []
    assert len(due([alert(severity=Severity.NOTE)], [], [], [Reach("log", severity=Severity.NOTE)], NOW)) == 1


def test_at_night_only_what_is_critical_is_told_and_the_rest_in_the_morning() -> None:
    both = [alert(1, Severity.CRITICAL), alert(2, Severity.WARNING)]
    night = due(both, [], [], [TEAM], NOW, lambda _: True)
    assert [it.alerts for it in night] == [("shop-1",)]
    assert due(both, [], [], [TEAM], NOW, lambda _: False)[0].alerts == ("shop-1", "shop-2")


def test_the_end_is_told_to_those_who_heard_of_the_beginning() -> None:
    over = alert(standing=AlertStanding.CLEARED, cleared_at=NOW + 60, told=(telling(),))
    found = due([], [over], [], [TEAM, Reach("boss")], NOW + 60)
    assert [(it.channel, it.what) for it in found] == [("team", "cleared")]
    twice = msgspec.structs.replace(over, told=(telling(), telling(what="cleared")))
    assert due([], [twice], [], [TEAM], NOW + 60) == []
    assert due([], [over], [], [TEAM], NOW + 60 + 3601) == []


def test_what_was_over_before_anybody_heard_is_not_told() -> None:
    assert due([], [alert(standing=AlertStanding.CLEARED, cleared_at=NOW)], [], [TEAM], NOW) == []


def test_tries_come_further_apart_up_to_five_minutes() -> None:
    waits = [retry_in_s(tries) for tries in range(1, 12)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (2.0, 300.0)
