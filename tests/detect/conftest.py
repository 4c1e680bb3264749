"""Small trees written for one rule each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Detection, Machine, detect
from underway.terms.tree import Tree

MACHINE = Machine(cpus=2, pythons=("3.11", "3.12", "3.13"), node_version="20.19")

Plant = Callable[[Mapping[str, str]], Tree]
Look = Callable[[Mapping[str, str]], Detection]


@pytest.fixture
def plant() -> Plant:
    def make(files: Mapping[str, str]) -> Tree:
        return Tree(name="shop", paths=tuple(sorted(files)), texts=dict(files))

    return make


@pytest.fixture
def look(plant: Plant) -> Look:
    def see(files: Mapping[str, str]) -> Detection:
        return detect(plant(files), machine=MACHINE)

    return see
