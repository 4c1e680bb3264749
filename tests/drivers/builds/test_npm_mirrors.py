"""Locks that name a mirror of npm's registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from underway.drivers.builds.npm_mirrors import to_the_registry, without_mirrors


@pytest.mark.parametrize(
    ("found", "asked"),
    [
        (
            "https://registry.npm.taobao.org/@a/b-c/download/@a/b-c-7.12.11.tgz?cache=0&other_urls=https%3A%2F%2Fx",
            "https://registry.npmjs.org/@a/b-c/-/b-c-7.12.11.tgz",
        ),
        ("https://registry.npmmirror.com/vue/-/vue-3.2.1.tgz", "https://registry.npmjs.org/vue/-/vue-3.2.1.tgz"),
        ("https://registry.nlark.com/a/download/a-1.0.0.tgz?x=1#0f", "https://registry.npmjs.org/a/-/a-1.0.0.tgz#0f"),
        ("https://npm.example.com/a/-/a-1.0.0.tgz", "https://npm.example.com/a/-/a-1.0.0.tgz"),
        ("https://registry.npmjs.org/a/-/a-1.0.0.tgz", "https://registry.npmjs.org/a/-/a-1.0.0.tgz"),
    ],
)
def test_an_address_of_a_mirror_becomes_the_registrys(found: str, asked: str) -> None:
    line = f'      "resolved": "{found}",\n'
    assert to_the_registry(line) == (f'      "resolved": "{asked}",\n', int(found != asked))


def test_a_lock_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    there = tmp_path / "elsewhere.json"
    there.write_text('"https://registry.npmmirror.com/vue/-/vue-3.2.1.tgz"')
    (tmp_path / "package-lock.json").symlink_to(there)
    assert without_mirrors(tmp_path / "package-lock.json") == ("", 0)
