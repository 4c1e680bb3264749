"""One failed check wakes nobody; a quorum does, once, until it is well again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from underway.agent.monitoring import expected_at
from underway.terms.monitor import Checked, MonitorState
from underway.uptime.judge import Quorum, Standing, judge

QUORUM = Quorum(fails=2, of=3, passes=2)


def after(checks: str, quorum: Quorum = QUORUM, **extra: bool) -> Standing:
    """The standing after checks: `.` passed, `x` failed, one a second."""
    standing = Standing()
    for second, each in enumerate(checks):
        came = "" if each == "." else f"status 500 ({second})"
        standing = judge(standing, Checked(at=float(second), took_ms=1.0, came=came), quorum, **extra)
    return standing


def test_one_failure_is_not_down_and_two_of_three_are() -> None:
    assert after(".x").state is MonitorState.UP
    assert after(".x.").state is MonitorState.UP
    assert after(".x.x").state is MonitorState.DOWN
    assert after("x").state is MonitorState.WAITING
    assert after("xx").state is MonitorState.DOWN


def test_it_is_down_since_the_first_failure_and_says_the_latest_reason() -> None:
    down = after("...xxx")
    assert (down.since, down.says) == (3.0, "status 500 (5)")


def test_one_good_answer_in_between_does_not_clear_it() -> None:
    assert after("..xx.").state is MonitorState.DOWN
    assert after("..xx.x").state is MonitorState.DOWN
    up = after("..xx..")
    assert (up.state, up.since, up.says) == (MonitorState.UP, 5.0, "")


def test_a_failure_while_this_machine_is_offline_says_nothing_of_the_site() -> None:
    before = after("..")
    offline = judge(before, Checked(at=9.0, took_ms=1.0, came="no route"), QUORUM, is_offline=True)
    assert offline.state is MonitorState.OFFLINE
    again = judge(offline, Checked(at=10.0, took_ms=1.0), QUORUM)
    assert again.state is MonitorState.UP
    assert judge(offline, Checked(at=10.0, took_ms=1.0, came="status 500"), QUORUM).state is not MonitorState.DOWN


def test_what_fails_in_an_announced_time_is_maintenance_and_becomes_down_after_it() -> None:
    assert after("..xxx", is_announced=True).state is MonitorState.MAINTENANCE
    over = judge(after("..xxx", is_announced=True), Checked(at=9.0, took_ms=1.0, came="status 500"), QUORUM)
    assert over.state is MonitorState.DOWN


def test_a_quorum_of_one_goes_with_every_check() -> None:
    single = Quorum(1, 1, 1)
    assert after("x", single).state is MonitorState.DOWN
    assert after("x.", single).state is MonitorState.UP


@given(st.text(".x", min_size=1, max_size=40), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_whatever_comes_down_needs_its_quorum_and_up_its_passes(
    checks: str, fails: int, more: int, passes: int
) -> None:
    quorum = Quorum(fails, fails + more, passes)
    standing = Standing()
    for second, each in enumerate(checks):
        before = standing
        standing = judge(before, Checked(at=float(second), took_ms=1.0, came="" if each == "." else "no"), quorum)
        seen = checks[: second + 1]
        if standing.state is MonitorState.DOWN and before.state is not MonitorState.DOWN:
            assert seen[-quorum.of :].count("x") >= fails
        if before.state is MonitorState.DOWN and standing.state is not MonitorState.DOWN:
            assert standing.state is MonitorState.UP
            assert seen.endswith("." * min(passes, len(seen)))


def test_a_schedule_that_told_a_dead_agent_is_not_missed() -> None:
    assert expected_at(100.0, 60.0, (0.0, 0.0)) == 160.0
    assert expected_at(100.0, 60.0, (150.0, 170.0)) == 220.0
    assert expected_at(100.0, 20.0, (110.0, 163.0)) == 180.0
    assert expected_at(100.0, 60.0, (110.0, 140.0)) == 160.0, "it was back in time to hear it"
    assert expected_at(100.0, 60.0, (10.0, 40.0)) == 160.0
