"""Rights, sessions and the throttle, without a clock."""

from __future__ import annotations

import itertools

import pytest

from underway.access.book import AccessBook, Token, digest_of, read_book, require_name, require_password, write_book
from underway.access.password import hashed, is_password, new_totp, totp_step
from underway.access.rights import Right, Role, Scope, rights_for_order, rights_of, rights_within
from underway.access.sessions import CODE_LIFE_S, IDLE_S, WHOLE_S, Sessions
from underway.access.throttle import FREE_TRIES, LONGEST_S, Throttle
from underway.terms.problem import Refusal


def test_only_an_approver_lets_go_on_what_waits_for_approval():
    for role in Role:
        may = bool(rights_of(role) & rights_for_order(is_onward=True, needs_approval=True))
        assert may == (role in (Role.APPROVER, Role.ADMIN))
        may_halt = bool(rights_of(role) & rights_for_order(is_onward=False, needs_approval=True))
        assert may_halt == (role is not Role.VIEWER)
    assert Right.ADMIN not in rights_within(Scope)


def test_a_session_ends_when_it_is_idle_and_when_it_is_old():
    secrets = (f"s{n}" for n in itertools.count())
    sessions = Sessions(lambda: next(secrets))
    secret, _ = sessions.begin("ana", frozenset({Right.LOOK}), 0.0, is_local=False)
    assert sessions.find(secret, IDLE_S - 1)
    assert sessions.find(secret, 2 * IDLE_S - 2)
    assert sessions.find(secret, 4 * IDLE_S) is None
    secret, _ = sessions.begin("ana", frozenset({Right.LOOK}), 0.0, is_local=False)
    for at in range(0, int(WHOLE_S), int(IDLE_S / 2)):
        assert sessions.find(secret, float(at))
    assert sessions.find(secret, WHOLE_S + 1) is None


def test_a_code_is_good_once_and_not_for_long():
    sessions = Sessions()
    code = sessions.make_code("ana", 0.0)
    assert sessions.use_code(code, 1.0) == "ana"
    assert sessions.use_code(code, 1.0) == ""
    assert sessions.use_code(sessions.make_code("ana", 0.0), CODE_LIFE_S + 1) == ""


def test_wrong_tries_wait_longer_and_longer_and_silence_forgives():
    throttle = Throttle()
    now, waits = 0.0, []
    for _ in range(20):
        wait_s = throttle.wait_s("ana", now)
        waits.append(wait_s)
        now += wait_s
        throttle.note_wrong("ana", now)
    assert waits[:FREE_TRIES] == [0.0] * FREE_TRIES
    assert waits[FREE_TRIES:] == sorted(waits[FREE_TRIES:])
    assert waits[-1] == LONGEST_S
    assert throttle.wait_s("ben", now) == 0
    assert throttle.wait_s("ana", now + 4000) == 0


def test_passwords_are_kept_as_argon2id_and_codes_work_once():
    import pyotp

    kept = hashed("four quiet boats drift")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert is_password(kept, "four quiet boats drift")
    assert not is_password(kept, "four quiet boats drift ")
    assert not is_password("damaged", "x")
    secret, now = new_totp(), 1_700_000_000.0
    code = pyotp.TOTP(secret).at(int(now))
    step = totp_step(secret, code, now, 0)
    assert step == int(now // 30)
    assert totp_step(secret, code, now, step) == 0
    assert totp_step(secret, code, now + 120, 0) == 0
    assert totp_step(secret, "", now, 0) == 0


@pytest.mark.parametrize("password", ["short", "ana-ana-ana-ana", "aaaaaaaaaaaaaaaa", "mypassword12", "x" * 300])
def test_a_password_that_is_tried_first_is_refused(password):
    with pytest.raises(Refusal, match=r"access\.password"):
        require_password(password, "ana")


@pytest.mark.parametrize("name", ["", "Ana", "../x", "a b", "<b>", "x" * 41, "-a"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(Refusal, match=r"access\.name"):
        require_name(name)


def test_the_book_is_read_as_it_was_written_and_tokens_end():
    book = AccessBook()
    secret = "s" * 43
    book.tokens["0123456789ab"] = Token(
        id="0123456789ab", name="ci", scopes=(Scope.READ,), digest=digest_of(secret), made_at=0.0, ends_at=100.0
    )
    again = read_book(write_book(book))
    assert again.token(f"uwt_0123456789ab_{secret}", 99.0) == book.tokens["0123456789ab"]
    assert again.token(f"uwt_0123456789ab_{secret}", 100.0) is None
    assert again.token(f"uwt_0123456789ab_{'t' * 43}", 1.0) is None
