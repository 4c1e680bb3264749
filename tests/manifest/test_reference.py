"""The reference page is the declaration, and nothing is left out of it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from underway.manifest.keys import Key, declared
from underway.manifest.model import Manifest
from underway.manifest.reference import EXAMPLE, reference_md
from underway.manifest.spot import Found, Spot

PAGE = Path(__file__).parents[2] / "docs" / "manifest.md"


def all_keys(of: type[Any] = Manifest) -> Iterator[Key]:
    for each in declared(of):
        if isinstance(each.key, Key):
            yield each.key
        else:
            yield from all_keys(each.key.of)


def test_the_page_is_what_the_declarations_say() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "underway.manifest.reference"], capture_output=True, text=True, check=True
    )
    assert PAGE.read_text() == made.stdout, "run: python -m underway.manifest.reference > docs/manifest.md"


def test_every_key_is_on_the_page() -> None:
    page = reference_md()
    for key in all_keys():
        assert f"| `{key.name}` |" in page
        assert key.says.replace("|", "\\|") in page


@pytest.mark.parametrize("key", list(all_keys()), ids=lambda key: key.name)
def test_every_example_is_accepted_and_differs_from_nothing_silly(key: Key) -> None:
    found = Found("example", lambda path: 1)
    value = key.kind.read(tomllib.loads(f"x = {key.example}")["x"], Spot(found))
    assert found.problems == []
    shown = tomllib.loads(f"x = {key.kind.show(value)}")["x"]
    assert key.kind.read(shown, Spot(found)) == value


def test_every_table_is_in_the_example() -> None:
    written = tomllib.loads(EXAMPLE)
    assert {each.name for each in declared(Manifest)} == set(written)
