"""Homes of their own for the journeys."""

from __future__ import annotations

import pytest

from . import bad
from .world import APPS, Answer, World, home_id, make_world, wait_until

__all__ = ["APPS", "Answer", "World", "home_id", "make_world", "wait_until"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest modules first: what is left for the end is short, so that no processor waits for another."""
    items.sort(key=lambda item: "crashes" not in item.path.name)


@pytest.fixture(scope="module")
def shared_world():
    """One home for all tests of a module; each uses an app name of its own."""
    world = make_world()
    yield world
    world.close()


@pytest.fixture
def world():
    """A home for one test alone."""
    world = make_world()
    yield world
    world.close()


@pytest.fixture(scope="module")
def served():
    """A home of this module in which the app `plain` is live; its release is in `release`."""
    world = make_world()
    done = world.deploy(bad.plain(world, VERSION="good"))
    assert done["outcome"] == "live", done
    world.release = done["release"]
    yield world
    world.close()


@pytest.fixture
def steady(served):
    """The same home; whatever the test does, the same release answers and the same processes run after it."""
    before = bad.running(served)
    answer = served.ask(app="plain").text
    assert answer == f"good {served.release}"
    yield served
    assert served.ask(app="plain").text == answer
    bad.nothing_left(served, before)
