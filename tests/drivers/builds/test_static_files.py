"""What the proxy is given to serve."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pytest

from underway.drivers.builds import is_hashed
from underway.manifest.build import BuildKeys
from underway.manifest.model import Static


def served(folder: str) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def test_texts_are_compressed_beforehand_when_it_helps(bench: Any) -> None:
    bench.write(
        {
            "public/index.html": "<p>hello</p>" * 200,
            "public/small.css": "a{}",
            "public/photo.jpg": "x" * 5000,
            "public/own.js": "var x;" * 1000,
            "public/own.js.gz": "the build's own",
        }
    )
    build = bench.make(BuildKeys(), Static(dir="public"))
    assert served(build.static_dir) == {
        "index.html", "index.html.gz", "small.css", "photo.jpg", "own.js", "own.js.gz",
    }  # fmt: skip
    page, packed = Path(build.static_dir, "index.html"), Path(build.static_dir, "index.html.gz")
    assert gzip.decompress(packed.read_bytes()) == page.read_bytes()
    assert packed.stat().st_mtime_ns == page.stat().st_mtime_ns
    assert Path(build.static_dir, "own.js.gz").read_text() == "the build's own"
    assert not Path(build.dir, "public/index.html.gz").exists(), "the app's own folder stays as built"


def test_content_that_does_not_shrink_is_not_compressed(bench: Any) -> None:
    (bench.tree / "public").mkdir()
    (bench.tree / "public/noise.txt").write_bytes(os.urandom(4096))
    build = bench.make(BuildKeys(), Static(dir="public"))
    assert served(build.static_dir) == {"noise.txt"}


def test_what_nobody_should_see_is_not_served(bench: Any) -> None:
    """A site in the root of its repository, beside what belongs to its developers."""
    bench.write(
        {
            "index.html": "hello",
            ".env": "SECRET=1",
            ".github/workflows/x.yml": "x",
            ".well-known/security.txt": "mailto:x",
            "underway.toml": "",
            "assets/.htpasswd": "x",
            "assets/a.css": "x",
        }
    )
    build = bench.make(BuildKeys(commands=("mkdir node_modules && echo x > node_modules/x.js",)), Static(dir="."))
    assert served(build.static_dir) == {"index.html", ".well-known/security.txt", "assets/a.css"}


def test_symlinks_made_by_the_build_do_not_lead_out(bench: Any) -> None:
    bench.write({"public/a.txt": "a", "inside.txt": "inside", ".env": "SECRET=1"})
    links = (
        "ln -s /etc/passwd public/passwd; ln -s / public/root; ln -s ../inside.txt public/inside.txt;"
        "ln -s ../.env public/env.txt; ln -s nowhere public/dangling; ln -s .. public/up; mkfifo public/pipe",
    )
    build = bench.make(BuildKeys(commands=links), Static(dir="public"))
    assert served(build.static_dir) == {"a.txt", "inside.txt"}
    assert not any(path.is_symlink() for path in Path(build.static_dir).rglob("*"))
    assert Path(build.static_dir, "inside.txt").read_text() == "inside"


def test_a_folder_that_leads_out_is_refused(bench: Any) -> None:
    bench.write({"a.txt": "a"})
    keys = BuildKeys(commands=("ln -s /etc public",))
    assert bench.fail(keys, Static(dir="public")).problem.code == "build.folder-missing"


def test_a_folder_the_build_did_not_write_is_told(bench: Any) -> None:
    bench.write({"a.txt": "a"})
    problem = bench.fail(BuildKeys(commands=("mkdir dist",)), Static(dir="build/")).problem
    assert problem.code == "build.static-missing"
    assert "'build'" in problem.why
    assert bench.left() == []


def test_a_front_end_without_a_page_for_its_root_is_told_where_one_is(bench: Any) -> None:
    bench.write({"README.md": "hello"})
    inner = BuildKeys(commands=("mkdir -p dist/browser && echo hello > dist/browser/index.html",))
    problem = bench.fail(inner, Static(dir="dist"), has_web=False).problem
    assert (problem.code, problem.why) == (
        "build.static-missing",
        "there is no index.html in 'dist', and nothing else answers /",
    )
    assert problem.remedy == 'add to underway.toml: [static] dir = "dist/browser"'
    assert served(bench.make(inner, Static(dir="dist/browser"), has_web=False).static_dir) == {"index.html"}
    for_every_path = BuildKeys(commands=("mkdir dist && echo hello > dist/200.html",))
    assert served(bench.make(for_every_path, Static(dir="dist"), has_web=False).static_dir) == {"200.html"}


def test_pages_of_the_build_before_still_find_their_assets(bench: Any) -> None:
    bench.write({"public/assets/index-BxY3k9aQ.js": "old();" * 300, "public/index.html": "old"})
    bench.make(BuildKeys(), Static(dir="public"))
    (bench.tree / "public/assets/index-BxY3k9aQ.js").unlink()
    bench.write({"public/assets/index-C9aQ3kxY.js": "new();" * 300, "public/index.html": "new"})
    bench.make(BuildKeys(), Static(dir="public"))
    pool = bench.home.app("shop") / "assets"
    assert served(str(pool)) == {
        "assets/index-BxY3k9aQ.js", "assets/index-BxY3k9aQ.js.gz",
        "assets/index-C9aQ3kxY.js", "assets/index-C9aQ3kxY.js.gz",
    }  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "assets/index-BxY3k9aQ.js", "assets/index-D_k9-aQ2.css", "static/js/main.8f2c1b0a.js",
        "static/js/main.8f2c1b0a.chunk.js.map", "css/style.55e7cbb9ba48.css", "app-RK4J2LQX.js",
        "_next/static/chunks/117-4d2c1f0b9a8e7d6c.js",
        "_next/static/k3jd8/_buildManifest.js", "img/logo.a1b2c3d4e5f6a7b8c9d0.svg",
    ],
)  # fmt: skip
def test_hashed_names(name: str) -> None:
    assert is_hashed(name)


@pytest.mark.parametrize(
    "name",
    [
        "index.html", "app.js", "my-document.js", "jquery-3.7.1.min.js", "background.png", "logo_original.svg",
        "favicon.ico", "service-worker.js", "font-awesome.css", "manifest.webmanifest", "robots.txt",
        "index-BxY3k9aQ/readme.txt", "apple-touch-icon.png",
    ],
)  # fmt: skip
def test_plain_names(name: str) -> None:
    assert not is_hashed(name)
