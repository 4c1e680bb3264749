"""The dashboard of a real agent, and a real browser to look at it."""

from __future__ import annotations

import http.client
import json
import shutil
import urllib.parse

import pytest
from tests.journeys import bad
from tests.journeys.world import make_world, wait_until

__all__ = ["Asker", "wait_until"]

NASTY = '<script>window.owned=1</script><img src=x onerror="window.owned=2">\'"</pre>'


class Asker:
    """A client of the dashboard that is no browser: it says what it is told to, and keeps cookies."""

    def __init__(self, url: str):
        self.url = url
        self.netloc = urllib.parse.urlsplit(url).netloc
        self.cookies: dict[str, str] = {}

    def ask(self, path, *, method="GET", form=None, body=None, headers=None):
        connection = http.client.HTTPConnection(self.netloc, timeout=30)
        said = {"Accept": "text/html", "Origin": self.url}
        if self.cookies:
            said["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if form is not None:
            method, body = "POST", urllib.parse.urlencode(form)
            said["Content-Type"] = "application/x-www-form-urlencoded"
        said |= headers or {}
        try:
            connection.request(method, path, body, {name: value for name, value in said.items() if value is not None})
            response = connection.getresponse()
            response.text = response.read().decode()
            for name, value in response.getheaders():
                if name.lower() == "set-cookie":
                    name, _, value = value.partition(";")[0].partition("=")
                    self.cookies[name] = value
            return response
        finally:
            connection.close()

    def form_key(self, path="/"):
        text = self.ask(path).text
        return text.partition('name="form_key" value="')[2].partition('"')[0]


def deployed(world, **changes):
    done = world.deploy(bad.patient(bad.plain(world, **changes)))
    assert done["outcome"] == "live", done
    return done["release"]


@pytest.fixture(scope="module")
def world():
    """A home in which `plain` was released twice, with traffic on both."""
    world = make_world()
    world.first = deployed(world, VERSION="1")
    for _ in range(20):
        world.ask("/", app="plain")
    world.second = deployed(world, VERSION="2")
    for _ in range(20):
        world.ask("/", app="plain")
    yield world
    world.close()


def way_in(world) -> dict:
    return json.loads(world.run("dashboard", "--json").stdout)


@pytest.fixture
def stranger(world):
    """Somebody who reaches the dashboard's port and is not logged in."""
    return Asker(way_in(world)["url"])


@pytest.fixture
def member(world):
    """Somebody of this machine who has logged in by a code, without a browser."""
    view = way_in(world)
    asker = Asker(view["url"])
    answer = asker.ask("/enter", form={"code": view["enter"].partition("#")[2]})
    assert answer.status == 303, answer.text
    return asker


@pytest.fixture
def chromium():
    """A browser for one test: its event loop must not go on under the tests that come after it."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--enable-precise-memory-info"],
            timeout=120_000,
        )
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, world):
    """A page that is logged in, on the apps at a glance. Whatever the browser complains of fails the test."""
    context = chromium.new_context(viewport={"width": 1180, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    complaints = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.goto(way_in(world)["enter"])
    page.get_by_role("heading", name="Apps", exact=True).wait_for()
    page.site = page.url.rstrip("/")
    yield page
    context.close()
    told = ("409 (Conflict)", "404 (Not Found)")
    assert [
        it for it in complaints if not any(status in it for status in told)
    ] == []  # a page that says why it cannot be done
