"""One suite for every place: what each must do, against a stand-in that its own contract judges.

A request that the contract refuses fails the test (`unrefused`), and `test_the_judge_refuses…` shows that it can.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.places.contract import CONTRACTS, Refused
from tests.drivers.places.providers import (
    CloudRun,
    Doppler,
    Fly,
    Github,
    Kubernetes,
    Railway,
    Render,
    SecretManager,
    Supabase,
    Vercel,
)
from tests.drivers.places.server import TOKEN, Fault, Provider, serving

from underway.drivers.places.make import open_place
from underway.drivers.places.web import Manners
from underway.environment.drift import Kind, drift
from underway.ports.places import Place
from underway.terms.environment import fingerprint
from underway.terms.place import TRAITS, Memo, PlaceKind, Reading, read_address
from underway.terms.problem import Failure
from underway.terms.secret import Secret

PROVIDERS: dict[str, tuple[type[Provider], str]] = {
    "render": (Render, "render:srv-abc123def456"),
    "vercel": (Vercel, "vercel:prj_123/production/team_abcd"),
    "railway": (Railway, "railway:p1/e1/s1"),
    "fly": (Fly, "fly:my-shop"),
    "doppler": (Doppler, "doppler:shop/prd"),
    "supabase": (Supabase, "supabase:abcdefghijklmnopqrst"),
    "secret-manager": (SecretManager, "secret-manager:shop-prod/shop-"),
    "cloud-run": (CloudRun, "cloud-run:shop-prod/europe-west1/shop/app"),
    "github": (Github, "github:ada/shop"),
    "kubernetes": (Kubernetes, "kubernetes:shop/app-env"),
}
KEY = b"k" * 32
URL = "postgres://shop:" + "s3cret-canary-71@db/shop"
MAIL = "mail-canary-" + "Zx8%&=? +/ü\n\"'$5"

pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/contracts is not here")


@dataclass
class World:
    name: str
    provider: Provider
    address: str
    environ: dict[str, str]
    slept: list[float] = field(default_factory=list)

    def on(self, act: Callable[[Place], Awaitable[Any]], **manners: Any) -> Any:
        """Run `act` on a fresh driver, as a command would."""

        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        async def run() -> Any:
            polite = Manners(**{"timeout_s": 5.0, "sleep": sleep, **manners})
            async with open_place(read_address(self.address), self.environ, {}, Path("/nowhere"), polite) as place:
                return await act(place)

        return asyncio.run(run())

    def set(self, **values: str) -> list[Any]:
        return list(self.on(lambda place: place.set({name: Secret(value) for name, value in values.items()})))

    def unset(self, *names: str) -> list[Any]:
        return list(self.on(lambda place: place.unset(names)))

    def held(self) -> dict[str, Any]:
        return dict(self.on(lambda place: place.held()))

    @property
    def kept(self) -> dict[str, str]:
        """What the provider has, without what it keeps there itself."""
        own = ("DOPPLER_CONFIG", "SUPABASE_URL", "RAILWAY_PROJECT_ID", "DATABASE_URL")
        return {name: value for name, value in self.provider.state.items() if name not in own}

    @property
    def traits(self) -> Any:
        return TRAITS[PlaceKind(self.name)]


@pytest.fixture(params=list(PROVIDERS))
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    make, address = PROVIDERS[request.param]
    provider = make()
    traits = TRAITS[PlaceKind(request.param)]
    with serving(provider) as url:
        made = World(request.param, provider, address, {traits.url_setting: url, traits.tokens[0]: TOKEN})
        yield made
    assert provider.violations == [], "a request the contract refuses"
    assert provider.seen, "nothing was asked"


def problems(told: list[Any]) -> dict[str, str]:
    return {each.name: each.problem.code for each in told if each.problem}


def writing(request: Any) -> bool:
    if "query" in (request.body or {}) and isinstance(request.body, dict):
        return "mutation" in request.body["query"]
    return request.method != "GET"


def test_create_keeps_what_is_there(world: World) -> None:
    world.provider.state = {**world.provider.state, "OTHER": "stays"}
    assert problems(world.set(DB_URL=URL, MAIL_KEY=MAIL)) == {}
    assert world.kept == {"OTHER": "stays", "DB_URL": URL, "MAIL_KEY": MAIL}


def test_update_changes_one(world: World) -> None:
    world.set(DB_URL=URL, MAIL_KEY=MAIL)
    assert problems(world.set(DB_URL="other")) == {}
    assert world.kept == {"DB_URL": "other", "MAIL_KEY": MAIL}


def test_delete_removes_one_and_is_fine_twice(world: World) -> None:
    world.set(DB_URL=URL, MAIL_KEY=MAIL)
    assert problems(world.unset("DB_URL")) == {}
    assert world.kept == {"MAIL_KEY": MAIL}
    assert problems(world.unset("DB_URL", "NEVER_THERE")) == {}
    assert world.kept == {"MAIL_KEY": MAIL}


def test_reading_gives_values_or_says_that_it_does_not(world: World) -> None:
    world.set(DB_URL=URL)
    held = world.held()["DB_URL"]
    if world.traits.reading is Reading.VALUES and world.name != "vercel":  # a new one there is of the type sensitive
        assert held.value == Secret(URL)
    else:
        assert held.value is None
        assert held.digest
    assert URL not in repr(held)


def test_drift_is_told_by_value_or_by_what_was_pushed(world: World) -> None:
    here = {name: Secret(value) for name, value in {"SAME": "1", "OLD": "2", "NEW": "3"}.items()}
    world.set(SAME="1", OLD="1", GONE="4")
    pushed = world.held()
    first = {"SAME": "1", "OLD": "1", "GONE": "4"}
    memory = {name: Memo(fingerprint(KEY, Secret(value)), pushed[name].digest) for name, value in first.items()}
    found = {each.name: each.kind for each in drift(here, world.held(), memory, KEY, world.traits)}
    wanted = {"SAME": Kind.SAME, "OLD": Kind.CHANGE, "NEW": Kind.ADD, "GONE": Kind.EXTRA}
    assert {name: found[name] for name in wanted} == wanted
    assert all(found[name] is Kind.THEIRS for name in set(found) - set(wanted))
    world.set(SAME="changed by somebody else there")
    again = {each.name: each.kind for each in drift(here, world.held(), memory, KEY, world.traits)}
    assert again["SAME"] is Kind.CHANGE


def test_without_a_memory_a_value_that_is_not_given_back_is_unknown(world: World) -> None:
    world.set(DB_URL=URL)
    (found,) = [
        each for each in drift({"DB_URL": Secret(URL)}, world.held(), {}, KEY, world.traits) if each.name == "DB_URL"
    ]
    is_told = world.held()["DB_URL"].value is not None or world.name == "supabase"  # which answers with SHA-256
    assert found.kind is (Kind.SAME if is_told else Kind.UNKNOWN)


def test_a_partial_failure_says_what_was_set_and_can_be_repeated(world: World) -> None:
    world.provider.bad_names = {"BAD_ONE"}
    told = world.set(FIRST="1", BAD_ONE=MAIL, LAST="3")
    failed = problems(told)
    assert failed["BAD_ONE"] == "place.refused"
    assert {name for name in ("FIRST", "BAD_ONE", "LAST") if name not in failed} == set(world.kept)
    is_all_or_none = world.name in ("railway", "fly", "doppler", "supabase", "cloud-run", "kubernetes")
    assert set(world.kept) == (set() if is_all_or_none else {"FIRST", "LAST"})
    world.provider.bad_names = set()
    assert problems(world.set(FIRST="1", BAD_ONE=MAIL, LAST="3")) == {}
    assert world.kept == {"FIRST": "1", "BAD_ONE": MAIL, "LAST": "3"}


def test_a_failure_shows_neither_values_nor_the_token(world: World) -> None:
    world.provider.bad_names = {"BAD_ONE"}
    said = repr(world.set(BAD_ONE=MAIL, GOOD=URL))
    echo = {"message": f"no: {URL} {MAIL} Bearer {TOKEN}", "error": f"{URL} {TOKEN}"}
    world.provider.faults = [Fault(400, body=echo, times=9, fits=writing)]
    said += repr(world.set(GOOD=URL, BAD_ONE=MAIL))
    for secret in (URL, TOKEN, MAIL, repr(MAIL)[1:-1]):
        assert secret not in said


def test_429_is_waited_for_as_long_as_it_asks(world: World) -> None:
    world.provider.faults = [Fault(429, {"Retry-After": "7"}, {"message": "slow down"}, fits=writing)]
    assert problems(world.set(DB_URL=URL)) == {}
    assert 7.0 in world.slept
    assert world.kept == {"DB_URL": URL}


def test_429_without_end_is_given_up_and_said(world: World) -> None:
    world.provider.faults = [Fault(429, {"Ratelimit-Reset": "50"}, times=99, fits=writing)]
    told = world.set(FIRST="1", LAST="2")
    assert set(problems(told).values()) <= {"place.limit", "place.untried"}
    assert "place.limit" in problems(told).values()
    assert sum(world.slept) <= 120
    assert world.kept == {}


def test_an_expired_token_says_how_to_renew_it(world: World) -> None:
    world.provider.token = "another"
    with pytest.raises(Failure) as failed:
        world.held()
    told = world.set(FIRST="1", LAST="2")
    assert failed.value.problem.code == "place.token"
    assert world.traits.tokens[0] in failed.value.problem.remedy
    assert world.traits.renew in failed.value.problem.remedy
    assert set(problems(told)) == {"FIRST", "LAST"}
    assert TOKEN not in repr(failed.value.problem) + repr(told)
    assert world.kept == {}
    assert len([each for each in world.provider.seen if writing(each)]) <= 1  # the rest would fail as well


def test_5xx_is_tried_again_and_given_up_after_a_few(world: World) -> None:
    world.provider.faults = [Fault(503, times=2, fits=writing)]
    assert problems(world.set(DB_URL=URL)) == {}
    assert world.kept == {"DB_URL": URL}
    world.provider.seen.clear()
    world.provider.faults = [Fault(500, times=99)]
    with pytest.raises(Failure) as failed:
        world.held()
    assert failed.value.problem.code == "place.unreachable"
    assert len(world.provider.seen) == 4
    assert all(0 < wait <= 8 for wait in world.slept)


def test_silence_ends_in_a_time_out(world: World) -> None:
    world.provider.faults = [Fault(200, times=99, hang_s=0.6)]
    with pytest.raises(Failure) as failed:
        world.on(lambda place: place.held(), timeout_s=0.15, tries=2)
    assert failed.value.problem.code == "place.unreachable"
    assert "no answer in time" in failed.value.problem.why


def test_a_time_out_in_a_write_is_made_good_by_the_next_try(world: World) -> None:
    world.provider.faults = [Fault(200, hang_s=0.6, fits=writing)]
    told = world.on(lambda place: place.set({"DB_URL": Secret(URL)}), timeout_s=0.3)
    assert problems(told) == {}
    assert world.kept == {"DB_URL": URL}


def test_a_redirect_does_not_get_the_token(world: World) -> None:
    elsewhere = Render()
    with serving(elsewhere) as url:
        world.provider.faults = [Fault(307, {"Location": url + "/services/srv-abcd/env-vars"}, times=99)]
        with pytest.raises(Failure) as failed:
            world.held()
    assert failed.value.problem.code == "place.refused"
    assert elsewhere.seen == []


def test_the_judge_refuses_what_the_contract_does_not_allow(world: World) -> None:
    world.provider.state = {**world.provider.state, "OLD": "1"}
    world.set(DB_URL=URL)
    world.unset("OLD")
    judged = 0
    for request in list(world.provider.seen):
        if not writing(request):
            continue
        for wrong in _mutations(request):
            judged += 1
            with pytest.raises(Refused):
                world.provider.contract.check_request(wrong)
    assert judged >= 4


def _mutations(request: Any) -> Iterator[Any]:
    """The request, wrong in one way each."""
    yield replace(request, path=request.path + "/nonsense") if request.path else replace(request, method="PUT")
    yield replace(request, method="TRACE")
    if request.body is None:
        if request.query:
            yield replace(request, query={**request.query, "nonsense": "1"})
        return
    yield replace(request, body=None)
    yield replace(request, body=7)
    if isinstance(request.body, dict):
        yield replace(request, body={**request.body, "nonsense": 1})
    wrong = copy.deepcopy(request.body)
    if _break_first_text(wrong):
        yield replace(request, body=wrong)


def _break_first_text(node: Any) -> bool:
    """Put a number where the deepest first text stands."""
    items = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    for _, value in reversed(items):
        if isinstance(value, dict | list) and value and _break_first_text(value):
            return True
    for key, value in items:
        if isinstance(value, str):
            node[key] = 12345
            return True
    return False
