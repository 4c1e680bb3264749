"""Files served by the proxy: types, caching, precompressed variants, and those of other releases."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

from tests.drivers.router.proxied import RELEASE_A, RELEASE_B, Proxy, Upstream, proxy, route

from underway.drivers.router.static import IMMUTABLE
from underway.terms.release import Slot
from underway.terms.route import SlotTarget


def _site(folder: Path, name: str) -> Path:
    files = {
        "index.html": f"<h1>{name}</h1>",
        "about.html": f"about {name}",
        "docs/index.html": f"docs {name}",
        f"assets/app-{name * 4}1Bc2.js": f"js of {name}",
        "assets/style.css": f"css of {name}",
        "app.wasm": "\0asm",
        "site.webmanifest": "{}",
        "font.woff2": "wOF2",
        ".env": "SECRET=1",
        ".git/config": "[core]",
        ".well-known/security.txt": "Contact: mailto:x@example.org",
        "with space & ü.txt": "ü",
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def _serve(to: Proxy, folder: Path) -> None:
    to.router.set_target("shop", Slot.A, SlotTarget(release=RELEASE_A, static_dir=str(_site(folder / "a", "A"))))
    to.router.set_target("shop", Slot.B, SlotTarget(release=RELEASE_B, static_dir=str(_site(folder / "b", "B"))))


def test_files_have_their_types_and_their_caching(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            for path, media_type, caching in (
                ("/", "text/html; charset=utf-8", "no-cache"),
                ("/about", "text/html; charset=utf-8", "no-cache"),
                ("/docs/", "text/html; charset=utf-8", "no-cache"),
                ("/assets/app-AAAA1Bc2.js", "text/javascript; charset=utf-8", IMMUTABLE),
                ("/assets/style.css", "text/css; charset=utf-8", "no-cache"),
                ("/app.wasm", "application/wasm", "no-cache"),
                ("/site.webmanifest", "application/manifest+json", "no-cache"),
                ("/font.woff2", "font/woff2", "no-cache"),
                ("/.well-known/security.txt", "text/plain; charset=utf-8", "no-cache"),
                ("/with%20space%20&%20%C3%BC.txt", "text/plain; charset=utf-8", "no-cache"),
            ):
                answer = await to.get(path)
                found = (answer.status, answer.headers.get("content-type"), answer.headers.get("cache-control"))
                assert found == (200, media_type, caching), path
                assert answer.headers["x-content-type-options"] == "nosniff"
                again = await to.get(path, headers={"If-None-Match": answer.headers["etag"]})
                assert again.status == 304
            folder = await to.get("/docs")
            assert (folder.status, folder.headers["location"]) == (308, "/docs/")

    asyncio.run(scenario())


def test_what_is_not_the_sites_is_not_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            for path in (
                *("/.env", "/.git/config", "/%2e%65nv", "/assets/..%2f.env", "/../../../../etc/passwd"),
                *("/nothing", "/assets/", "//etc/passwd", "/assets/app-*.js", "/%00", "/about.html/x"),
            ):
                answer = await to.get(path)
                assert answer.status in (400, 404), path
                assert not any(word in answer.body for word in (b"SECRET", b"root:", b"js of")), path

    asyncio.run(scenario())


def test_a_precompressed_file_is_sent_to_who_accepts_it(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            style = tmp_path / "a/assets/style.css"
            (style.parent / "style.css.gz").write_bytes(gzip.compress(b"css of A"))
            (style.parent / "style.css.br").write_bytes(b"pretend brotli")
            for accepted, encoding in (("gzip", "gzip"), ("br, gzip", "br"), ("identity", None)):
                answer = await to.get("/assets/style.css", headers={"Accept-Encoding": accepted})
                assert answer.headers.get("content-encoding") == encoding
                assert answer.headers["content-type"] == "text/css; charset=utf-8"
                assert "accept-encoding" in answer.headers["vary"].lower()
            assert answer.body == b"css of A"

    asyncio.run(scenario())


def test_a_page_of_an_older_release_still_gets_its_hashed_assets(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            (tmp_path / "a/only-in-a.html").write_text("removed in B")
            pool = to.home.app("shop") / "assets"
            (pool / "assets").mkdir(parents=True)
            (pool / "assets/app-0000zZ9x.js").write_text("js of long ago")

            to.router.set_share("shop", 1.0)
            assert (await to.get("/")).body == b"<h1>B</h1>"
            for path, body in (("app-AAAA1Bc2.js", b"js of A"), ("app-0000zZ9x.js", b"js of long ago")):
                answer = await to.get(f"/assets/{path}")
                assert (answer.status, answer.body, answer.headers["cache-control"]) == (200, body, IMMUTABLE)
            assert await to.status("/only-in-a.html") == 404, "what a release removed is gone"

            to.router.set_target("shop", Slot.A, None)
            assert await to.status("/assets/app-AAAA1Bc2.js") == 404
            assert (await to.get("/assets/app-0000zZ9x.js")).body == b"js of long ago"

    asyncio.run(scenario())


def test_a_split_never_puts_a_cookie_on_what_is_cached_for_ever(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            to.router.set_share("shop", 0.5)
            assert "set-cookie" in (await to.get("/")).headers
            assert "set-cookie" not in (await to.get("/assets/app-AAAA1Bc2.js")).headers

    asyncio.run(scenario())


def test_a_single_page_app_answers_its_own_paths(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/", spa=True)) as to:
            _serve(to, tmp_path)
            assert (await to.get("/letters/7")).body == b"<h1>A</h1>"
            assert await to.status("/assets/app-missing1X.js") == 404, "a script is not answered with a page"
            assert await to.status("/letters", method="POST") == 404

    asyncio.run(scenario())


def test_a_page_that_is_made_for_every_path_goes_before_the_index(tmp_path: Path) -> None:
    """SvelteKit and Nuxt write it beside an index that is the page of `/` alone."""

    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/", spa=True)) as to:
            _serve(to, tmp_path)
            (tmp_path / "a/200.html").write_text("for every path")
            assert (await to.get("/letters/7")).body == b"for every path"
            assert (await to.get("/")).body == b"<h1>A</h1>"
            (tmp_path / "a/index.html").unlink()
            assert (await to.get("/")).body == b"for every path", "a build without an index has only this one"

    asyncio.run(scenario())


def test_a_site_below_a_path_of_its_own_is_led_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/shop/", spa=True)) as to:
            _serve(to, tmp_path)
            for path in ("/", "/shop"):
                answer = await to.get(path)
                assert (answer.status, answer.headers["location"]) == (302, "/shop/"), path
                assert answer.headers["cache-control"] == "no-cache", "another release may be served at / itself"
            assert (await to.get("/shop/")).body == b"<h1>A</h1>"
            assert (await to.get("/shop/assets/style.css")).body == b"css of A"
            assert (await to.get("/shop/letters/7")).body == b"<h1>A</h1>"
            assert await to.status("/letters/7") == 404

    asyncio.run(scenario())


def test_with_a_web_process_files_come_first_and_the_rest_is_the_apps(
    tmp_path: Path, app_a: Upstream, app_b: Upstream
) -> None:
    async def scenario() -> None:
        shop = route(static_url="/", spa=True, a=(app_a.port,), b=(app_b.port,))
        async with proxy(tmp_path / "home", shop) as to:
            _serve(to, tmp_path)
            assert (await to.get("/")).body == b"<h1>A</h1>"
            assert (await to.get("/seen")).headers["content-type"] == "application/json"
            assert (await to.get("/letters/7")).body == b"<h1>A</h1>", "the app said 404, so it is a page's path"
            for asks in ({"Accept": "application/json, text/plain, */*"}, {"Sec-Fetch-Dest": "empty"}):
                asked = await to.get("/letters/7", headers=asks)
                assert (asked.status, asked.body) == (404, b"Not Found"), "a script is told what the API says"
            missing = await to.get("/api/nothing.json")
            assert (missing.status, missing.body) == (404, b"Not Found")
            assert (await to.get("/upload", method="POST", body=b"12")).body == b"2"
            to.router.set_share("shop", 1.0)
            assert (await to.get("/letters/7")).body == b"<h1>B</h1>"

    asyncio.run(scenario())


def test_a_prefix_of_its_own_falls_through_to_the_app(tmp_path: Path, app_a: Upstream) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/static/", a=(app_a.port,))) as to:
            _serve(to, tmp_path)
            assert (await to.get("/static/assets/style.css")).body == b"css of A"
            assert (await to.get("/")).body == b"A"
            assert (await to.get("/static/missing.css")).body == b"Not Found"
            assert (await to.get("/assets/style.css")).body == b"Not Found"

    asyncio.run(scenario())


def test_a_site_can_bring_its_own_page_for_what_is_missing(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            (tmp_path / "a/404.html").write_text("ours")
            answer = await to.get("/missing")
            assert (answer.status, answer.body) == (404, b"ours")

    asyncio.run(scenario())


def test_names_that_only_look_hashed_are_asked_for_again(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with proxy(tmp_path / "home", route(static_url="/")) as to:
            _serve(to, tmp_path)
            for name, is_immutable in {
                "main.55e7cbb9.css": True,
                "base.27e20196a850.min.css": True,
                "app-5UW4ZVKD.js": True,
                "index-BxY3k9aQ.js.map": True,
                "assets/index-BxYzkQaQ.js": True,
                "_next/static/chunks/main.js": True,
                "jquery-validation.js": False,
                "bootstrap-datepicker.min.js": False,
                "report-20240101.pdf": False,
                "jquery-3.6.0.min.js": False,
                "roboto-v30-latin-regular.woff2": False,
                "assets/user-settings.js": False,
                "assets/user-Settings.js": False,
            }.items():
                (tmp_path / "a" / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / "a" / name).write_text("x")
                caching = (await to.get(f"/{name}")).headers["cache-control"]
                assert (caching == IMMUTABLE) is is_immutable, name

    asyncio.run(scenario())
