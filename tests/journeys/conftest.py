"""Homes of their own for the journeys."""

from __future__ import annotations

import pytest

from .world import APPS, Answer, World, home_id, make_world, wait_until

__all__ = ["APPS", "Answer", "World", "home_id", "make_world", "wait_until"]


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
