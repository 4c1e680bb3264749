"""The allow file: each entry has a reason, and all that is wrong is said at once."""

from __future__ import annotations

import datetime

import pytest

from underway.leaks.allow import apply_allowed, read_allowed
from underway.terms.leak import Leak, Weight
from underway.terms.problem import Refusal

TODAY = datetime.date(2030, 5, 1)


def leak(path: str = "a.py", rule: str = "r", fingerprint: str = "0" * 16) -> Leak:
    return Leak(
        rule=rule, says="x", weight=Weight.LEAK, because="x", path=path, line=1, column=1, fingerprint=fingerprint
    )


def test_every_given_part_must_fit() -> None:
    allowed = read_allowed('[[allow]]\npath = "tests/*"\nrule = "r"\nreason = "made up for the tests"\n')
    stay, let, stale = apply_allowed((leak("tests/a.py"), leak("app.py"), leak("tests/a.py", "other")), allowed, TODAY)
    assert [each.path for each in stay] == ["app.py", "tests/a.py"]
    assert [reason for _, reason in let] == ["made up for the tests"]
    assert stale == ()


def test_an_entry_ends_with_its_day_and_is_then_told() -> None:
    text = (
        '[[allow]]\nfingerprint = "0000000000000000"\nreason = "revoked, history purged in May"\nuntil = 2030-04-30\n'
    )
    stay, let, stale = apply_allowed((leak(),), read_allowed(text), TODAY)
    assert (len(stay), len(let), len(stale)) == (1, 0, 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[allow]]\npath = 'x'\n", "no reason"),
        ("[[allow]]\npath = 'x'\nreason = 'ok'\n", "no reason"),
        ("[[allow]]\nreason = 'because I say so'\n", "allow everything"),
        ("[[allow]]\nfile = 'x'\nreason = 'because I say so'\n", "file is not known"),
        ("[[allow]]\nfingerprint = 'abc'\nreason = 'because I say so'\n", "sixteen hex digits"),
        ("[[allow]]\npath = 'x'\nreason = 'because I say so'\nuntil = 'soon'\n", "not a day"),
        ("allow = 3", "not a list"),
        ("[other]\n", "only [[allow]]"),
        ("[[allow]\n", "not TOML"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_allowed(text)
    assert says in refused.value.problems[0].why


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(Refusal) as refused:
        read_allowed("[[allow]]\npath = 'x'\n\n[[allow]]\nreason = 'nothing named here'\n")
    assert [p.where[-7:] for p in refused.value.problems] == ["allow 1", "allow 2"]
