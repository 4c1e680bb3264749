"""Push, pull and sync against stand-ins with state, remembered from one run to the next."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.places.contract import CONTRACTS
from tests.drivers.places.providers import Github, Render
from tests.drivers.places.server import TOKEN, Provider, serving

from underway.drivers.place_memory.file import FilePlaceMemory
from underway.drivers.places.make import open_place
from underway.drivers.places.web import Manners
from underway.environment.drift import Way
from underway.flows.sync_env import Compared, SyncAsk, Synced, carry_over, compare
from underway.terms.home import Home
from underway.terms.place import read_address
from underway.terms.problem import Failure
from underway.terms.secret import Secret

pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/contracts is not here")


@dataclass
class Sides:
    """Here, as a dictionary, and there, as a provider."""

    provider: Provider
    address: str
    url: str
    root: Path
    here: dict[str, str] = field(default_factory=dict)

    def run(self, way: Way, *, prune: bool = False, dry: bool = False) -> tuple[Compared, Synced | None]:
        address = read_address(self.address)
        environ = {address.traits.url_setting: self.url, address.traits.tokens[0]: TOKEN}
        memory = FilePlaceMemory(Home(self.root / "home"))
        ask = SyncAsk(way, "shop", "production", address, prune)

        def keep_here(put: Mapping[str, Secret], gone: Sequence[str]) -> None:
            self.here |= {name: value.reveal() for name, value in put.items()}
            for name in gone:
                del self.here[name]

        async def sleep(seconds: float) -> None:
            pass

        async def act() -> tuple[Compared, Synced | None]:
            async with open_place(address, environ, {}, self.root, Manners(sleep=sleep)) as place:
                secrets = {name: Secret(value) for name, value in self.here.items()}
                seen = await compare(ask, secrets, place, memory)
                return seen, None if dry else await carry_over(ask, seen, place, memory, keep_here)

        return asyncio.run(act())


@pytest.fixture
def render(tmp_path: Path) -> Iterator[Sides]:
    provider = Render()
    with serving(provider) as url:
        yield Sides(provider, "render:srv-abc123", url, tmp_path)
    assert provider.violations == []


@pytest.fixture
def github(tmp_path: Path) -> Iterator[Sides]:
    provider = Github()
    with serving(provider) as url:
        yield Sides(provider, "github:ada/shop", url, tmp_path)
    assert provider.violations == []


def test_a_push_adds_and_changes_and_removes_only_when_told(render: Sides) -> None:
    render.here = {"A": "1", "B": "2"}
    render.provider.state = {"B": "old", "C": "3"}
    _, dry = render.run(Way.PUSH, dry=True)
    assert dry is None
    assert render.provider.state == {"B": "old", "C": "3"}
    seen, _ = render.run(Way.PUSH)
    assert seen.move.left == ("C",)
    assert render.provider.state == {"A": "1", "B": "2", "C": "3"}
    render.run(Way.PUSH, prune=True)
    assert render.provider.state == {"A": "1", "B": "2"}


def test_a_push_that_changes_nothing_writes_nothing(render: Sides) -> None:
    render.here = {"A": "1"}
    render.run(Way.PUSH)
    render.provider.seen.clear()
    seen, _ = render.run(Way.PUSH)
    assert seen.move.is_nothing
    assert {request.method for request in render.provider.seen} == {"GET"}


def test_a_push_to_where_nothing_is_given_back_is_remembered(github: Sides) -> None:
    github.here = {"A": "1", "B": "2"}
    github.run(Way.PUSH)
    assert github.provider.state == {"A": "1", "B": "2"}
    github.provider.seen.clear()
    assert github.run(Way.PUSH)[0].move.is_nothing
    github.here["A"] = "new"
    assert github.run(Way.PUSH, dry=True)[0].move.set_there == ("A",)
    github.run(Way.PUSH)
    assert github.provider.state == {"A": "new", "B": "2"}


def test_a_pull_takes_what_can_be_read_and_says_what_cannot(render: Sides, github: Sides) -> None:
    render.provider.state = {"A": "there", "B": "2"}
    render.here = {"A": "here", "C": "3"}
    seen, _ = render.run(Way.PULL)
    assert render.here == {"A": "there", "B": "2", "C": "3"}
    assert seen.move.left == ("C",)
    render.run(Way.PULL, prune=True)
    assert render.here == {"A": "there", "B": "2"}
    github.provider.state = {"A": "x"}
    assert github.run(Way.PULL)[0].move.unreadable == ("A",)
    assert github.here == {}


def test_a_sync_takes_each_value_from_the_side_that_changed(render: Sides) -> None:
    render.here = {"A": "1", "B": "1", "C": "1", "D": "1", "E": "1"}
    render.run(Way.SYNC)
    render.here |= {"A": "here", "C": "here", "NEW": "here"}
    render.provider.state = {"A": "1", "B": "there", "C": "there", "E": "1", "OTHER": "there"}
    del render.here["E"]
    seen, _ = render.run(Way.SYNC)
    assert seen.move.conflicts == ("C",)
    assert seen.move.left == ("D", "E")
    assert render.here == {"A": "here", "B": "there", "C": "here", "D": "1", "NEW": "here", "OTHER": "there"}
    kept = {"A": "here", "B": "there", "C": "there", "E": "1", "NEW": "here", "OTHER": "there"}
    assert render.provider.state == kept
    render.run(Way.SYNC, prune=True)
    assert "D" not in render.here
    assert "E" not in render.provider.state


def test_a_partial_failure_is_told_and_the_next_run_does_the_rest(github: Sides) -> None:
    github.here = {"A": "1", "BAD": "2", "C": "3"}
    github.provider.bad_names = {"BAD"}
    _, done = github.run(Way.PUSH)
    assert done is not None
    assert (done.set_there, [each.name for each in done.failed]) == (("A", "C"), ["BAD"])
    github.provider.bad_names = set()
    seen, _ = github.run(Way.PUSH)
    assert seen.move.set_there == ("BAD",)
    assert github.provider.state == {"A": "1", "BAD": "2", "C": "3"}


def test_what_is_remembered_holds_no_value_and_is_private(github: Sides) -> None:
    secret = "canary-" + "f00d-4411"
    github.here = {"A": secret}
    github.run(Way.PUSH)
    path = github.root / "home/apps/shop/places.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert secret not in path.read_text()


def test_a_broken_memory_is_said(github: Sides) -> None:
    github.here = {"A": "1"}
    github.run(Way.PUSH)
    (github.root / "home/apps/shop/places.json").write_text("{")
    with pytest.raises(Failure) as failed:
        github.run(Way.PUSH)
    assert failed.value.problem.code == "place.memory"


def test_nothing_that_is_told_holds_a_value(render: Sides) -> None:
    secret = "canary-" + "f00d-4411"
    render.here = {"A": secret}
    told: Any = render.run(Way.PUSH)
    assert secret not in repr(told)
