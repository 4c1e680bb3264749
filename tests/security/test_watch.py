"""Which requests are somebody trying to get in, and which are not."""

from __future__ import annotations

import pytest
from tests.observe.requests import request

from underway.drivers.security_log.sqlite import SqliteSecurityLog
from underway.security import watch
from underway.security.watch import Watch, client_of
from underway.terms.security import SecurityKind

NOW = 1_790_000_000.0


def asked(path="/", *, status=404, ip="203.0.113.9", at=NOW, **fields):
    return request(path=path, status=status, ip=ip, at=at, **{"app": "shop", "took_ms": 1.0, **fields})


def heard(*requests):
    watched = Watch()
    for each in requests:
        watched.heard(each)
    return watched.changed()


SCANS = """/.env /app/.env.production /.git/HEAD /wp-login.php /blog/wp-admin/ /x.php /db.sql /cgi-bin/x
/phpMyAdmin/index.php /.aws/credentials /actuator/env /..%2f..%2fetc/passwd /static/../../etc/shadow"""


@pytest.mark.parametrize("path", SCANS.split())
def test_what_only_a_scan_asks_for(path):
    (event,) = heard(asked(path))
    assert (event.kind, event.app, event.client, event.samples) == (SecurityKind.SCAN, "shop", "203.0.113.9", (path,))


@pytest.mark.parametrize(
    "path", ["/.well-known/acme-challenge/x", "/environment", "/gitlab", "/items/7", "/favicon.ico", "/login", "/a..b"]
)
def test_what_is_missing_but_nobodys_scan(path):
    assert heard(asked(path)) == []


def test_an_apps_own_pages_are_no_scan_but_an_env_file_that_is_answered_is_told_as_such():
    assert heard(asked("/index.php", status=200)) == []
    (event,) = heard(asked("/.env", status=200))
    assert event.answered == 1


def tries(count, path="/api/login", *, every_s=1.0, status=401, method="POST", **fields):
    return [asked(path, status=status, method=method, at=NOW + number * every_s, **fields) for number in range(count)]


@pytest.mark.parametrize(
    "path", ["/login", "/api/v1/auth/token", "/users/sign_in", "/oauth2/token", "/session", "/wp/log-in"]
)
@pytest.mark.parametrize("status", [401, 403, 429])
def test_a_burst_of_refused_log_ins_of_one_client(path, status):
    assert heard(*tries(watch.LOG_INS_LEAST - 1, path, status=status)) == []
    (event,) = heard(*tries(25, path, status=status))
    assert (event.kind, event.times) == (SecurityKind.LOG_INS, 25)


def test_slow_tries_other_routes_and_good_log_ins_are_no_burst():
    assert heard(*tries(30, every_s=30)) == []
    assert heard(*tries(30, "/api/orders")) == []
    assert heard(*tries(30, status=200)) == []
    assert heard(*tries(30, method="GET")) == [], "a page that asks for a log-in answers 401 to whoever opens it"
    assert heard(*(asked("/login", status=401, method="POST", ip=f"198.51.100.{n}") for n in range(30))) == []


def test_names_of_no_app():
    (event,) = heard(*(asked(app="", host="evil.example", at=NOW + n) for n in range(5)))
    assert (event.kind, event.app, event.times, event.samples) == (SecurityKind.HOST, "", 5, ("evil.example",))


def test_an_event_goes_on_until_its_client_is_silent():
    watched = Watch()
    for at in (0, 300, 600):
        watched.heard(asked("/.env", at=NOW + at))
    (one,) = watched.changed()
    watched.heard(asked("/.git/x", at=NOW + 600 + watch.OVER_AFTER_S + 1))
    (two,) = watched.changed()
    assert (one.times, two.times, one.id != two.id) == (3, 1, True)


def test_memory_is_bounded_whoever_comes():
    watched = Watch()
    for number in range(3 * watch.MOST_CLIENTS):
        ip = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        watched.heard(asked("/.env", ip=ip, at=NOW + number))
        watched.heard(asked("/login", status=401, method="POST", ip=ip, at=NOW + number))
    assert max(len(it) for it in (*watched._open.values(), *watched._counts.values())) == watch.MOST_CLIENTS
    assert watched.forgotten == 4 * watch.MOST_CLIENTS
    for number in range(50):
        watched.heard(asked(f"/.env{'x' * 5000}?{number}", at=NOW))
    assert all(len(it.samples) <= watch.MOST_SAMPLES for it in watched.changed())


def test_a_network_of_one_customer_is_one_client():
    assert client_of("2001:db8:1:2:aaaa::1") == client_of("2001:db8:1:2:bbbb::9") == "2001:db8:1:2::/64"
    assert client_of("::ffff:203.0.113.9") == "203.0.113.9"
    assert client_of("nonsense") == "nonsense"


def test_what_a_killed_agent_had_counted_is_not_counted_again(tmp_path):
    log = SqliteSecurityLog(tmp_path / "security.db")
    before = Watch()
    requests = [asked("/.env", at=NOW + n) for n in range(5)]
    for each in requests:
        before.heard(each)
    assert log.put(before.changed(), NOW)
    after = Watch()
    after.resume(list(SqliteSecurityLog(tmp_path / "security.db").events()))
    for each in (*requests, asked("/.env", at=NOW + 9)):
        after.heard(each)
    log.put(after.changed(), NOW)
    (event,) = log.events("shop")
    assert event.times == 6
    assert (tmp_path / "security.db").stat().st_mode & 0o777 == 0o600
    assert log.events("other") == []
    log.put([], NOW + 31 * 86_400)
    assert log.events() == []
