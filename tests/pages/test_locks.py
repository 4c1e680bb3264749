"""Who gets in, and what they can do: over plain HTTP, as somebody would try it."""

from __future__ import annotations

import json
import subprocess
import sys
from urllib.parse import parse_qs, quote, urlsplit

import pyotp
import pytest
from tests.journeys.world import wait_until

from .conftest import NASTY, way_in

PASSWORD = "four quiet boats drift"


def with_account(world, name, role):
    """A new account; returns its authenticator."""
    done = subprocess.run(
        [sys.executable, "-m", "underway", "access", "add", name, "--role", role, "--json"],
        env=world.env,
        input=PASSWORD + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    uri = json.loads(done.stdout)["authenticator"]
    return pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])


def log_in(asker, name, password, code):
    return asker.ask("/log-in", form={"name": name, "password": password, "code": code})


@pytest.fixture(scope="module")
def ana(world):
    return with_account(world, "ana", "viewer")


def test_nobody_sees_anything_without_logging_in(stranger):
    for path in ("/", "/apps/plain", "/apps/plain/live", "/apps/plain/logs", "/journal", "/people", "/nothing"):
        answer = stranger.ask(path)
        assert (answer.status, answer.getheader("Location")) == (303, "/enter"), path
    assert stranger.ask("/apps/plain/live", headers={"Accept": "text/event-stream"}).status == 401
    assert stranger.ask("/v1/status").status == 401
    assert stranger.ask("/apps/plain/rollback", form={"plan": "x"}).status == 401


def test_a_code_lets_in_once(world, stranger):
    code = way_in(world)["enter"].partition("#")[2]
    assert stranger.ask("/enter", form={"code": "guess"}).status == 403
    assert stranger.ask("/enter", form={"code": code}).status == 303
    assert stranger.ask("/").status == 200
    stranger.cookies.clear()
    assert stranger.ask("/enter", form={"code": code}).status == 403


def test_the_cookie_and_every_answer_are_locked_down(world, stranger):
    answer = stranger.ask("/enter", form={"code": way_in(world)["enter"].partition("#")[2]})
    cookie = answer.getheader("Set-Cookie")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    for path in ("/", "/apps/plain", "/apps/none", "/assets/style.css", "/assets/nothing", "/v1/status"):
        headers = stranger.ask(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in stranger.ask("/").text
    assert " style=" not in stranger.ask("/apps/plain").text


def test_a_session_that_was_planted_before_is_not_the_one_after_the_log_in(world, stranger):
    stranger.cookies["underway_session"] = "planted"
    stranger.ask("/enter", form={"code": way_in(world)["enter"].partition("#")[2]})
    assert stranger.cookies["underway_session"] != "planted"
    first = stranger.cookies["underway_session"]
    stranger.ask("/enter", form={"code": way_in(world)["enter"].partition("#")[2]})
    assert stranger.cookies["underway_session"] != first
    stranger.cookies["underway_session"] = first
    assert stranger.ask("/").status == 303  # the one before has ended
    stranger.cookies["underway_session"] = "planted"
    assert stranger.ask("/").status == 303


def test_logging_out_ends_the_session_on_the_server(member):
    secret = member.cookies["underway_session"]
    assert member.ask("/log-out", form={"form_key": member.form_key()}).status == 303
    member.cookies["underway_session"] = secret
    assert member.ask("/").status == 303


def test_a_form_of_another_site_does_nothing(world, member):
    text = member.ask("/apps/plain/maintenance").text
    key = text.partition('name="form_key" value="')[2].partition('"')[0]
    form = {"is_on": "true", "form_key": key}
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": None},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        assert member.ask("/apps/plain/maintenance", form=form, headers=headers).status == 403, headers
    for wrong in ("", "guess", key[:-1]):
        assert member.ask("/apps/plain/maintenance", form=form | {"form_key": wrong}).status == 403
    as_json = {"Content-Type": "application/json"}
    assert member.ask("/apps/plain/maintenance", method="POST", body=json.dumps(form), headers=as_json).status == 415
    assert not world.status("plain")["is_in_maintenance"]
    assert member.ask("/apps/plain/maintenance", form=form).status == 303
    assert world.status("plain")["is_in_maintenance"]
    member.ask("/apps/plain/maintenance", form=form | {"is_on": "false"})


def test_another_name_that_leads_here_is_refused(member):
    port = member.netloc.partition(":")[2]
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1", ""):
        assert member.ask("/", headers={"Host": host}).status in (400, 421), host
    assert member.ask("/", headers={"Host": f"localhost:{port}", "Origin": None}).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/assets/..%2f..%2fsite.py",
        "/assets/../site.py",
        "/assets/%2e%2e/gate.py",
        "/apps/..%2f..%2fetc/logs",
        "/apps/plain/logs?process=../../../../etc/passwd",
        "/apps/plain/releases/..%2f..%2faccess",
        "/apps/plain/releases/%2e%2e/picture.svg",
        "/apps/plain/acts/..%2f..%2fx",
        "/v1/../enter",
    ],
)
def test_no_path_leads_out(member, path):
    answer = member.ask(path)
    assert answer.status in (303, 400, 401, 404, 409), answer.text
    assert "root:" not in answer.text
    assert "import" not in answer.text


def test_names_of_others_are_only_text(member):

    for path in (
        "/apps/{}",
        "/apps/{}/logs",
        "/apps/plain/releases/{}",
        "/apps/plain/acts/{}",
        "/apps/plain/logs?process={}",
    ):
        answer = member.ask(path.format(quote(NASTY, safe="")))
        assert answer.status in (404, 409)
        assert "<script>window" not in answer.text
        assert "<img" not in answer.text


def test_guessing_a_password_is_held_up_and_told(world, stranger, ana):
    answers = [log_in(stranger, "ana", "wrong wrong wrong", "000000").status for _ in range(7)]
    assert answers[:5] == [403] * 5
    assert 429 in answers[5:]
    right = log_in(stranger, "ana", PASSWORD, ana.now())
    assert right.status == 429, "the right password must wait as well"
    told = [e for e in events(world) if e["event"] == "log_in_refused"]
    assert told[-1]["name"] == "ana"
    assert PASSWORD not in json.dumps(events(world))

    def let_in():
        answer = log_in(stranger, "ana", PASSWORD, ana.now())
        return answer if answer.status != 429 else None

    assert wait_until(let_in, 60).status == 303


def test_who_tries_to_get_in_is_told_as_events_of_their_own(world, stranger, member):
    for path in ("/.env", "/.git/config", "/.aws/credentials"):
        world.ask(path, app="plain")
    for _ in range(4):
        world.ask("/", headers={"Host": "nobody.example"})
    stranger.ask("/v1/status", headers={"Authorization": "Bearer uwt_guessed"})
    stranger.ask("/enter", form={"code": "guess"})

    def told():
        found = json.loads(world.run("security", "--json").stdout)
        by_kind = {it["kind"]: it for it in found}
        return by_kind if {"scan", "host", "own"} <= set(by_kind) and by_kind["scan"]["times"] >= 3 else None

    found = wait_until(told, 60)
    assert (found["scan"]["app"], found["scan"]["client"]) == ("plain", "127.0.0.1")
    assert found["scan"]["samples"] == ["/.env", "/.git/config", "/.aws/credentials"]
    assert found["host"]["samples"] == ["nobody.example"]
    assert found["own"]["times"] >= 2
    page = member.ask("/security").text
    assert "nobody.example" in page
    assert "/.git/config" in page
    assert "looked for files" in world.run("security", "--app", "plain").stdout


def events(world):
    return [json.loads(line) for line in world.run("events", "--json", "-n", "500").stdout.splitlines()]


def test_unknown_names_and_used_codes_are_refused_in_the_same_words(world, stranger):
    ben = with_account(world, "ben", "viewer")
    said = {log_in(stranger, "nobody-of-this-name", PASSWORD, "000000").text}
    said.add(log_in(stranger, "ben", "wrong wrong wrong", ben.now()).text)
    said.add(log_in(stranger, "ben", PASSWORD, "000000").text)
    assert len(said) == 1
    code = ben.now()
    assert log_in(stranger, "ben", PASSWORD, code).status == 303
    stranger.cookies.clear()
    assert log_in(stranger, "ben", PASSWORD, code).status == 403, "a code works once"


@pytest.fixture(scope="module")
def roles(world):
    """Logged-in askers by role."""
    from .conftest import Asker

    found = {}
    for role in ("viewer", "deployer", "approver", "admin"):
        asker = Asker(way_in(world)["url"])
        totp = with_account(world, f"the-{role}", role)
        assert log_in(asker, f"the-{role}", PASSWORD, totp.now()).status == 303
        found[role] = asker
    return found


@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/apps/plain", {"viewer", "deployer", "approver", "admin"}),
        ("/apps/plain/rollback", {"deployer", "approver", "admin"}),
        ("/apps/plain/maintenance", {"deployer", "admin"}),
        ("/apps/plain/orders/abort", {"deployer", "approver", "admin"}),
        ("/people", {"admin"}),
    ],
)
def test_a_role_may_what_it_is_for(roles, path, who):
    assert {role for role, asker in roles.items() if asker.ask(path).status == 200} == who
    refused = [asker.ask(path).status for role, asker in roles.items() if role not in who]
    assert set(refused) <= {403}


def test_a_viewer_cannot_post_what_is_not_offered(world, roles):
    viewer = roles["viewer"]
    key = viewer.form_key()
    for path, form in (
        ("/apps/plain/maintenance", {"is_on": "true"}),
        ("/apps/plain/rollback", {"plan": "x"}),
        ("/apps/plain/orders/promote", {}),
        ("/people", {"do": "make-token", "name": "x", "days": "9", "scope_deploy": "on"}),
    ):
        assert viewer.ask(path, form=form | {"form_key": key}).status == 403, path


def test_closing_an_account_ends_its_sessions(world):
    from .conftest import Asker

    totp = with_account(world, "leaving", "admin")
    asker = Asker(way_in(world)["url"])
    assert log_in(asker, "leaving", PASSWORD, totp.now()).status == 303
    assert asker.ask("/people").status == 200
    assert world.run("access", "close", "leaving").returncode == 0
    assert asker.ask("/people").status == 303


def bearer(asker, path, token, method="GET", body=None):
    headers = {"Authorization": f"Bearer {token}"}
    answer = asker.ask(path, method=method, body=json.dumps(body) if body is not None else None, headers=headers)
    return answer.status, answer.text


def test_a_token_does_what_its_scopes_say_and_nothing_else(world, stranger):
    reads = world.run("access", "token", "watcher", "--scope", "read").stdout.strip()
    deploys = world.run("access", "token", "ci", "--scope", "deploy").stdout.strip()
    assert bearer(stranger, "/v1/status", reads)[0] == 200
    assert bearer(stranger, "/v1/apps/plain", reads)[0] == 200
    rollback = {"kind": "rollback", "app": "plain"}
    assert bearer(stranger, "/v1/plans", reads, "POST", rollback)[0] == 403
    for path in ("/v1/access", "/v1/stop", "/v1/env/recipient", "/v1/dashboard", "/v1/access/tokens"):
        for method in ("GET", "POST"):
            body = {"by": "x"} if method == "POST" else None
            assert bearer(stranger, path, deploys, method, body)[0] in (403, 404), path
    assert bearer(stranger, "/v1/plans", deploys, "POST", {"kind": "down", "app": "plain"})[0] == 403
    status, text = bearer(stranger, "/v1/plans", deploys, "POST", rollback)
    assert status == 201, text
    plan = json.loads(text)["id"]
    assert bearer(stranger, f"/v1/plans/{plan}/run", reads, "POST")[0] == 403
    assert bearer(stranger, f"/v1/plans/{plan}/run", deploys, "POST")[0] == 202
    wait_until(lambda: world.status("plain")["act"] is None, 60)
    begun = [e for e in world.events("plain") if e["event"] == "act_started" and e["kind"] == "rollback"]
    assert begun[-1]["by"] == "token:ci"


def test_a_token_that_is_over_or_wrong_is_none(world, stranger):
    token = world.run("access", "token", "short", "--scope", "read").stdout.strip()
    key = token.split("_")[1]
    assert bearer(stranger, "/v1/status", token)[0] == 200
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "uwt_x_y", "", f"uwt_{key}_"):
        assert bearer(stranger, "/v1/status", wrong)[0] == 401
    assert world.run("access", "revoke", key).returncode == 0
    assert bearer(stranger, "/v1/status", token)[0] == 401


def test_no_secret_is_in_the_journal_or_readable_by_others(world, ana):
    kept = world.home / "counts" / "access.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    text = kept.read_text()
    assert PASSWORD not in text
    assert "$argon2id$" in text
    told = json.dumps(events(world)) + (world.home / "agent.log").read_text()
    assert PASSWORD not in told
    assert ana.secret not in told
    assert "uwt_" not in told
