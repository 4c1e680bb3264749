"""Pictures of the dashboard as it is now, of a home that runs: every page, on a desk and on a phone.

python -m bench.pictures "$(underway dashboard --json | jq -r .enter)" APP FOLDER [--scheme light|dark]
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from urllib.parse import urlsplit

PAGES = {
    "apps": "/",
    "alerts": "/alerts",
    "journal": "/journal",
    "people": "/people",
    **{
        name: f"/apps/APP/{name}"
        for name in ("releases", "logs", "errors", "data", "environment", "monitors", "incidents", "rollback")
    },
    "app": "/apps/APP",
    "silence": "/alerts/silence?app=APP&key=monitor+ledger",
}
WIDTHS = {"desktop": (1180, 900), "phone": (390, 844)}


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("enter")
    parser.add_argument("app")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="names of pages, with commas")
    parser.add_argument("--scheme", default="light,dark")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    parts = urlsplit(asked.enter)
    site = f"{parts.scheme}://{parts.netloc}"
    chosen = [name for name in PAGES if not asked.only or name in asked.only.split(",")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"],
            timeout=120_000,
        )
        page = browser.new_page()
        page.set_default_timeout(60_000)
        page.goto(asked.enter)
        page.get_by_role("heading", name="Apps", exact=True).wait_for()
        for scheme in asked.scheme.split(","):
            page.emulate_media(color_scheme=scheme)
            for width, (wide, high) in WIDTHS.items():
                page.set_viewport_size({"width": wide, "height": high})
                for name in chosen:
                    page.goto(site + PAGES[name].replace("APP", asked.app))
                    page.wait_for_timeout(400)
                    page.screenshot(path=asked.folder / f"{name}-{width}-{scheme}.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
