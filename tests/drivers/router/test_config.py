"""The configuration as a value, and Caddy's own opinion of it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.router.proxied import route

from underway.drivers.router.checked import require_sound
from underway.drivers.router.config import proxy_config, side_of
from underway.drivers.router.keeper import find_caddy
from underway.terms.home import Home
from underway.terms.problem import Refusal
from underway.terms.route import AppRoute

CASES = {
    "nothing": [],
    "static": [route(static_url="/", spa=True)],
    "web": [route(a=(8001,), b=(8002,))],
    "web with files": [route(a=(8001, 8003), b=(8002, 8004), static_url="/", spa=True, body_limit_bytes=1_000_000)],
    "a prefix": [route(a=(8001,), static_url="/static/")],
    "internal": [route(a=(8001,), hosts=("shop.localhost", "shop.test"), tls="internal")],
    "automatic": [route(a=(8001,), hosts=("shop.localhost", "shop.example.org", "www.example.org"), tls="auto")],
    "many": [route(f"app{number}", a=(8000 + number,)) for number in range(50)],
}


@pytest.mark.parametrize("routes", CASES.values(), ids=CASES.keys())
def test_caddy_accepts_it(tmp_path: Path, routes: list[AppRoute]) -> None:
    require_sound(routes)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(proxy_config(Home(root=tmp_path), routes)))
    environ = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [find_caddy(""), "validate", "--config", path], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_it_is_the_same_every_time_and_always_has_its_admin_endpoint() -> None:
    home = Home(root=Path("/srv/underway"))
    for routes in CASES.values():
        config = proxy_config(home, routes)
        assert config == proxy_config(home, routes)
        assert config["admin"]["listen"] == "unix//srv/underway/run/proxy-admin.sock|0600"
        assert {side_of(proxy_config(home, routes, side)) for side in (0, 1, 2)} == {0, 1, 2}


def test_https_is_only_for_public_hosts() -> None:
    home = Home(root=Path("/srv/underway"), https_port=443)
    config = proxy_config(home, CASES["automatic"])
    assert config["apps"]["tls"]["certificates"]["automate"] == ["shop.example.org", "www.example.org"]
    assert config["apps"]["tls"]["automation"]["policies"] == [], "Caddy's default: a public certificate authority"
    assert "https" not in proxy_config(home, CASES["web"])["apps"]["http"]["servers"]


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({"hosts": ("{env.HOME}",)}, "{env.HOME}"),
        ({"hosts": ("shop.localhost", "SHOP.example.org", "a b")}, "SHOP.example.org"),
        ({"hosts": ()}, "shop"),
        ({"static_url": "/{file./etc/passwd}/"}, "/{file./etc/passwd}/"),
        ({"static_url": "static"}, "static"),
        ({"static_url": "/a/../b"}, "/a/../b"),
        ({"a": (70_000,)}, "70000"),
        ({"tls": "sometimes"}, "sometimes"),
    ],
)
def test_hostile_routes_are_refused_with_their_place(keys: dict[str, Any], where: str) -> None:
    with pytest.raises(Refusal) as caught:
        require_sound([route(**keys)])
    assert where in " ".join(problem.where for problem in caught.value.problems)


def test_two_apps_under_one_host_are_refused_naming_both() -> None:
    with pytest.raises(Refusal) as caught:
        require_sound([route("one", hosts=("x.org",)), route("two", hosts=("x.org", "bad host"))])
    codes = {problem.code: problem for problem in caught.value.problems}
    assert set(codes) == {"proxy.host-taken", "proxy.route"}, "all problems at once"
    assert "one" in codes["proxy.host-taken"].why
    assert "two" in codes["proxy.host-taken"].where
