"""Which backups stay, what they are worth, what is due."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underway.keep.retention import Retention, to_remove
from underway.keep.schedule import clock_jump_s, turn
from underway.keep.worth import Standing, condition, is_named_production, outlook
from underway.terms.backup import Backup, Condition, Kept, Proof, Reason

DAY, HOUR = 86_400.0, 3_600.0
NOW = 1_800_000_000.0


def kept(age_s: float, *, proven: bool = False, damage: str = "", name: str = "") -> Kept:
    at = NOW - age_s
    backup_id = f"{int(at):010d}"
    backup = Backup(id=backup_id, app="shop", reason=Reason.SCHEDULED, at=at, took_s=1, parts=(), name=name)
    proof = Proof(backup=backup_id, at=at + 60, how="drill", server="", restore_s=1, lost_s=1, tables=1, rows=1)
    return Kept(backup=backup, proof=proof if proven else None, damage=damage)


def left(all_kept: list[Kept], **policy: int) -> list[float]:
    gone = set(to_remove(all_kept, Retention(**policy), NOW))
    return sorted((NOW - it.backup.at) / DAY for it in all_kept if it.backup.id not in gone)


def test_a_year_of_daily_backups_keeps_days_weeks_and_months() -> None:
    ages = left([kept(n * DAY + 10) for n in range(365)])
    assert len([age for age in ages if age < 7.5]) >= 7
    assert 12 <= len(ages) <= 17
    assert 120 < ages[-1] < 190  # the sixth month


def test_the_last_proven_one_stays_however_old() -> None:
    backups = [kept(n * DAY + 10) for n in range(400)] + [kept(900 * DAY, proven=True)]
    assert 900 in [round(age) for age in left(backups)]


def test_a_newer_proven_one_lets_the_older_go() -> None:
    backups = [kept(10, proven=True), kept(900 * DAY, proven=True)]
    assert [round(age) for age in left(backups, daily=1, weekly=1, monthly=1)] == [0]


def test_what_has_a_name_is_pinned_or_of_today_stays() -> None:
    backups = [kept(n * HOUR) for n in range(20)] + [kept(800 * DAY, name="demo")] + [kept(700 * DAY)]
    gone = to_remove(backups, Retention(daily=1, weekly=0, monthly=0), NOW, pinned={backups[-1].backup.id})
    assert gone == ()


def test_a_damaged_one_takes_no_place_and_never_lets_the_last_good_one_go() -> None:
    backups = [kept(DAY, damage="cut short"), kept(30 * DAY), kept(40 * DAY, damage="empty")]
    gone = to_remove(backups, Retention(daily=1, weekly=0, monthly=0), NOW)
    assert gone == (backups[2].backup.id,)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.floats(-10 * DAY, 900 * DAY), st.booleans(), st.booleans()), max_size=40),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_the_newest_good_and_the_newest_proven_one_always_stay(drawn, daily, weekly, monthly) -> None:
    backups = [kept(age, proven=proven, damage="bad" if bad else "") for age, proven, bad in drawn]
    gone = set(to_remove(backups, Retention(daily=daily, weekly=weekly, monthly=monthly), NOW))
    good = [it for it in backups if not it.damage]
    if good:
        assert max(good, key=lambda it: it.backup.at).backup.id not in gone
    if proven := [it for it in good if it.proof]:
        assert max(proven, key=lambda it: it.backup.at).backup.id not in gone


@pytest.mark.parametrize("app", ["shop-production", "prod-shop", "live"])
def test_what_is_called_production_is_production(app: str) -> None:
    assert is_named_production(app)


@pytest.mark.parametrize("app", ["shop", "shop-staging", "olive", "product-demo"])
def test_other_names_say_nothing_of_production(app: str) -> None:
    assert not is_named_production(app)


def test_what_a_backup_is_worth() -> None:
    assert condition(kept(0)) is Condition.UNPROVEN
    assert condition(kept(0, proven=True)) is Condition.PROVEN
    assert condition(kept(0, proven=True, damage="it was changed")) is Condition.DAMAGED


@dataclass
class Case:
    backups: list[Kept]
    standing: Standing
    says: str
    every_s: float = DAY
    since_s: float = 90 * DAY


CASES = {
    "proven": Case([kept(HOUR, proven=True)], Standing.PROVEN, "proven by a restore"),
    "unproven": Case([kept(HOUR)], Standing.UNPROVEN, "no backup was ever restored"),
    "drilled long ago": Case([kept(HOUR), kept(20 * DAY, proven=True)], Standing.UNPROVEN, "last drill was 20 days"),
    "late": Case([kept(2 * DAY, proven=True)], Standing.LATE, "is 2 days old, one is due every 1 day"),
    "damaged": Case(
        [kept(HOUR, damage="cut short"), kept(DAY, proven=True)], Standing.DAMAGED, "is damaged: cut short"
    ),
    "the clock was set back": Case([kept(-DAY), kept(HOUR, proven=True)], Standing.LATE, "clock of this machine"),
    "only from the future": Case([kept(-DAY)], Standing.LATE, "clock of this machine"),
    "first one due": Case([], Standing.NONE, "the first one is due", since_s=HOUR),
    "never made": Case([], Standing.LATE, "one should have been made"),
    "no schedule": Case([], Standing.OFF, "no schedule", every_s=0),
    "only damaged ones": Case([kept(HOUR, damage="empty")], Standing.DAMAGED, "empty"),
}


@pytest.mark.parametrize("name", CASES)
def test_how_an_apps_backups_stand(name: str) -> None:
    case = CASES[name]
    found = outlook(case.backups, case.every_s, 7 * DAY, NOW, NOW - case.since_s)
    assert found.standing is case.standing
    assert case.says in found.says


def test_a_turn_comes_when_its_time_has_passed() -> None:
    assert not turn(DAY, NOW - 0.9 * DAY, 0, NOW).is_due
    due = turn(DAY, NOW - 1.1 * DAY, 0, NOW)
    assert due.is_due
    assert not due.missed_s
    assert not turn(0, None, 0, NOW).is_due
    assert not turn(DAY, None, NOW + 600, NOW).is_due
    assert turn(DAY, None, NOW - 1, NOW).is_due


def test_a_turn_that_did_not_come_for_too_long_is_missed() -> None:
    assert turn(DAY, NOW - 1.6 * DAY, 0, NOW).missed_s == pytest.approx(0.6 * DAY)
    assert turn(DAY, None, NOW - 2 * DAY, NOW).missed_s == pytest.approx(2 * DAY)


def test_what_failed_is_tried_again_after_a_while_and_still_counts_as_missed() -> None:
    soon = turn(DAY, NOW - 2 * DAY, 0, NOW, failed_at=NOW - 60)
    assert not soon.is_due
    assert soon.missed_s
    assert turn(DAY, NOW - 2 * DAY, 0, NOW, failed_at=NOW - 2 * HOUR).is_due


def test_a_clock_set_back_does_not_put_off_the_next_turn() -> None:
    found = turn(DAY, NOW + 30 * DAY, NOW - 90 * DAY, NOW)
    assert found.is_due
    assert "clock" in found.because


def test_a_jump_of_the_clock_is_noticed_and_a_slow_round_is_not() -> None:
    assert clock_jump_s(NOW, NOW + 500, 100, 600) == 0
    assert clock_jump_s(NOW, NOW - 3600, 100, 120) == -3620
    assert clock_jump_s(NOW, NOW + 7200, 100, 120) == 7180
