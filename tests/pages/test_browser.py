"""What a person sees and does in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from urllib.parse import quote

import pytest
from tests.journeys import bad
from tests.journeys.world import wait_until

from underway.load.strict import StrictLoad

from .conftest import NASTY

PAGES = ("/", "/journal", "/people", *(f"/apps/plain{rest}" for rest in ("", "/releases", "/logs", "/errors", "/data")))
PAGES = (*PAGES, *(f"/apps/plain/{name}" for name in ("environment", "rollback", "monitors", "incidents")), "/alerts")
PAGES = (*PAGES, "/security", "/apps/plain/logs?find=a&level=error")


class Traffic:
    """Visitors in the background, until the end of the block."""

    def __init__(self, world):
        self._world = world
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._go()))

    async def _go(self):
        async with StrictLoad(self._world.port, "plain.localhost", clients=6, pause_s=0.05):
            while not self._is_over.is_set():
                await asyncio.sleep(0.1)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._is_over.set()
        self._thread.join()


def canary(world, keys='steps = [50]\nstep_time = "10m"', **changes):
    path = bad.plain(world, **changes)
    manifest = path / "underway.toml"
    manifest.write_text(
        bad.MANIFEST.replace('strategy = "blue-green"', f'strategy = "canary"\n{keys}').replace('"3s"', '"30s"')
    )
    return path


def test_a_canary_is_watched_live_and_promoted(world, page):
    done = {}
    path = canary(world, VERSION="canary")
    thread = threading.Thread(target=lambda: done.update(world.deploy(path)))
    with Traffic(world):
        thread.start()
        page.goto(f"{page.site}/apps/plain")
        page.get_by_text("50 % of visitors get the new release").wait_for()
        page.get_by_role("link", name="All of its steps").click()
        row = page.get_by_role("row", name=re.compile("^Requests that count")).get_by_role("cell").first
        before = int(row.inner_text().replace(",", ""))
        wait_until(lambda: int(row.inner_text().replace(",", "")) > before + 5, 60)
        page.get_by_text("few enough errors").first.wait_for()
        page.get_by_role("link", name="Promote").click()
        page.get_by_label("Why").fill("it looks fine")
        page.get_by_role("button", name="Give it everybody").click()
        page.get_by_text("live", exact=True).first.wait_for()
        page.get_by_role("link", name="The evidence of this release").wait_for()
        thread.join(60)
    assert done["outcome"] == "live", done
    assert any(e["event"] == "ordered" and e["because"] == "it looks fine" for e in done["events"])
    assert world.ask("/", app="plain").text.startswith("canary ")
    page.get_by_role("link", name="The evidence of this release").click()
    picture = page.get_by_role("img", name=re.compile("^Both releases over time"))
    assert picture.evaluate("it => it.decode().then(() => it.naturalWidth)") > 300


def test_a_rollback_is_clicked_and_runs_the_plan_that_was_shown(world, page):
    before = world.ask("/", app="plain").text
    page.get_by_role("link", name="plain", exact=True).click()
    page.get_by_role("link", name="Roll back …").click()
    page.get_by_role("button", name="Roll back now").wait_for()
    steps = page.get_by_role("listitem").all_inner_texts()
    assert any("traffic" in text.lower() or "visitors" in text.lower() for text in steps), steps
    page.get_by_label("Why").fill("the prices are wrong")
    page.get_by_role("button", name="Roll back now").click()
    page.get_by_text("It took").wait_for()
    assert "/acts/" in page.url
    assert world.ask("/", app="plain").text != before
    noted = [e for e in world.events("plain") if e["event"] == "acted"]
    assert noted[-1]["because"] == "the prices are wrong"
    assert [e["by"] for e in world.events("plain") if e["event"] == "act_started"][-1] == noted[-1]["by"]


def test_everything_is_reached_by_keyboard_alone(world, page):
    def focused():
        return page.evaluate("document.activeElement.innerText || document.activeElement.id")

    def tab_to(text):
        for _ in range(60):
            page.keyboard.press("Tab")
            if focused().strip() == text:
                return
        raise AssertionError(f"{text} was not reached")

    page.goto(f"{page.site}/apps/plain")
    page.keyboard.press("Tab")
    assert focused() == "To the content"
    page.keyboard.press("Enter")
    tab_to("Roll back …")
    page.keyboard.press("Enter")
    page.wait_for_url("**/rollback")
    release = world.status("plain")["live"]
    tab_to("Roll back now")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.get_by_text("It took").wait_for()
    assert world.status("plain")["live"] != release


def serious_findings(page, path):
    """What axe-core calls serious or critical on the page that is open."""
    from axe_playwright_python.sync_playwright import Axe

    session = page.context.new_cdp_session(page)  # the page's own policy runs no script of others
    session.send("Runtime.evaluate", {"expression": Axe().axe_script})
    said = session.send(
        "Runtime.evaluate",
        {"expression": "axe.run().then(r => JSON.stringify(r.violations))", "awaitPromise": True},
    )
    session.detach()
    return [
        (path, it["id"], [node["html"][:160] for node in it["nodes"]][:3])
        for it in json.loads(said["result"]["value"])
        if it["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1180),
        ("dark", 390),
        pytest.param("dark", 1180, marks=pytest.mark.slow),
        pytest.param("light", 390, marks=pytest.mark.slow),
    ],
)
@pytest.mark.timeout(300)
def test_no_page_has_a_serious_finding_of_axe_or_is_wider_than_the_screen(page, scheme, width):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    found = []
    for path in PAGES:
        page.goto(page.site + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        found += serious_findings(page, path)
    assert found == []


def test_the_first_paint_is_quick_and_small(world, page):
    sizes = []
    page.context.new_cdp_session(page).send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.on("response", lambda response: sizes.append(response))
    page.goto(f"{page.site}/apps/plain")
    transferred = sum(len(it.body()) for it in sizes if "/live" not in it.url.replace("live.js", ""))
    assert 1_000 < transferred < 150_000
    outside = [it.url for it in sizes if not it.url.startswith(page.site)]
    assert outside == []
    paints, paint = [], "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
    for _ in range(5):
        page.goto(f"{page.site}/apps/plain")
        paints.append(wait_until(lambda: page.evaluate(paint), 30))
    print(f"first paint {min(paints):.0f} ms at best of five, {transferred / 1000:.0f} kB")


def test_an_open_page_does_not_grow(page):
    """A page that is open for long is told of again and again; it stays what it is. (60 s are in bench/pages.py.)"""
    page.goto(f"{page.site}/apps/plain")
    page.get_by_text("live", exact=True).first.wait_for()
    before = page.evaluate("document.querySelectorAll('*').length")
    marked = page.evaluate("document.getElementById('part').dataset.mine = 'kept'; 1")
    assert marked
    seen = page.evaluate(
        """() => new Promise((done) => {
            const source = new EventSource('/apps/plain/live');
            source.addEventListener('part', (event) => { source.close(); done(event.data.length); });
        })"""
    )
    assert seen > 1000
    assert page.evaluate("document.querySelectorAll('*').length") == before


def test_what_an_app_writes_is_only_text(world, page):
    log = next((world.home / "apps" / "plain" / "logs").glob("web.*.log"))
    page.goto(f"{page.site}/apps/plain/logs")
    page.get_by_text("live", exact=True).first.wait_for()
    with log.open("a") as stream:
        stream.write(f"a visitor named {NASTY} came\n")
    page.get_by_text("a visitor named").first.wait_for()
    assert NASTY in page.get_by_text("a visitor named").first.inner_text()
    assert page.evaluate("window.owned") is None
    page.goto(f"{page.site}/apps/plain/logs?find={'%3Cscript%3E'}")
    assert page.evaluate("window.owned") is None
    assert page.get_by_label("Lines with").input_value() == "<script>"
    named = '<img src=x onerror="window.owned=2">'
    page.goto(f"{page.site}/apps/{quote(named, safe='')}")
    page.get_by_text("there is no app").wait_for()
    assert page.evaluate("window.owned") is None, "a name is text as well"


def test_a_log_is_searched(world, page):
    log = next((world.home / "apps" / "plain" / "logs").glob("web.*.log"))
    with log.open("a") as stream:
        stream.write("a needle, the only one\nhay\n")
    page.goto(f"{page.site}/apps/plain/logs")
    page.get_by_label("Lines with").fill("NEEDLE")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("a needle, the only one").wait_for()
    assert page.get_by_text("hay", exact=True).count() == 0
    with log.open("a") as stream:
        stream.write('{"level": "error", "msg": "no stock", "order": {"id": "x-42"}}\n')
    page.get_by_label("Lines with").fill("x-42")
    page.get_by_label("Level, or worse").select_option("error")
    page.get_by_role("button", name="Search").click()
    page.get_by_text("no stock").wait_for()
    assert page.get_by_role("log").locator("div").count() == 1


def test_an_error_is_opened_with_the_releases_it_was_seen_in(world, page):
    trace = f'Traceback (most recent call last):\n  File "/srv/pay.py", line 3, in pay\nKeyError: "{NASTY}"\n\n'
    for log in (world.home / "apps" / "plain" / "logs").glob("web.*.log"):
        with log.open("a") as stream:
            stream.write(trace)

    def shown():
        page.goto(f"{page.site}/apps/plain/errors")
        return page.get_by_role("link", name=re.compile("^KeyError")).count() or None

    wait_until(shown, 60)
    page.get_by_role("link", name=re.compile("^KeyError")).first.click()
    page.get_by_text('File "/srv/pay.py", line 3, in pay').wait_for()
    assert page.evaluate("window.owned") is None
    seen = page.get_by_role("region", name="Releases").get_by_role("link").all_inner_texts()
    assert world.status("plain")["live"] in seen
    page.get_by_role("link", name="Lines with it").click()
    page.get_by_role("log").get_by_text("KeyError").first.wait_for()
    assert page.evaluate("window.owned") is None


MONITOR = """
[[monitor]]
name = "ledger"
kind = "tcp"
target = "127.0.0.1:1"
interval = "1s"
retries = 0
private = true

[alerts]
security = true
"""


def test_an_alert_is_seen_answered_and_silenced(world, page):
    done = world.deploy(bad.patient(bad.plain(world, MONITOR, VERSION="watched")))
    assert done["outcome"] == "live", done
    world.ask("/.env", app="plain")  # which this app answers, as it does everything

    def told():
        return [it for it in json.loads(world.run("alerts", "--json").stdout) if it["key"] == "security scan"] or None

    (scan,) = wait_until(told, 90)
    assert scan["problem"]["code"] == "security.scan"
    assert "/.env" in scan["problem"]["why"]

    def shown():
        page.goto(f"{page.site}/alerts")
        return page.get_by_role("button", name="Acknowledge monitor ledger of plain").count() or None

    wait_until(shown, 90)
    page.get_by_role("link", name="Silence monitor ledger of plain").click()
    page.get_by_role("heading", name="Tell nobody of").wait_for()
    assert serious_findings(page, "silence") == []
    page.get_by_label("For how long").select_option("eight hours")
    page.get_by_label("Why").fill("the ledger moves today")
    page.get_by_role("button", name="Silence it").click()
    page.get_by_text("silenced by").first.wait_for()
    silenced = [each for each in world.events("plain") if each["event"] == "alert_silenced"][-1]
    assert (silenced["key"], silenced["because"]) == ("monitor ledger", "the ledger moves today")
    assert 28_000 < silenced["until"] - silenced["at"] < 29_000
    page.get_by_role("button", name="Acknowledge monitor ledger of plain").click()
    page.get_by_text("acknowledged by").first.wait_for()
    page.goto(f"{page.site}/apps/plain/monitors")
    page.get_by_role("heading", name="ledger").wait_for()
    assert page.get_by_text("down", exact=True).first.is_visible()
