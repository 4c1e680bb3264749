"""What one provider does as no other: shared records, etags, foreign secrets, deploys that must not start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.drivers.places.contract import CONTRACTS
from tests.drivers.places.providers import CloudRun, Github, Railway, Render, SecretManager, Vercel
from tests.drivers.places.server import TOKEN, Fault, Provider, serving

from underway.drivers.places.make import open_place
from underway.drivers.places.web import Manners
from underway.ports.places import Place
from underway.terms.place import read_address
from underway.terms.secret import Secret

pytestmark = pytest.mark.skipif(not CONTRACTS.is_dir(), reason="../shared/contracts is not here")


def on(provider: Provider, address: str, act: Callable[[Place], Awaitable[Any]], **environ: str) -> Any:
    where = read_address(address)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run(url: str) -> Any:
        given = {where.traits.url_setting: url, where.traits.tokens[0]: TOKEN, **environ}
        async with open_place(where, given, {}, Path("/nowhere"), Manners(timeout_s=5.0, sleep=sleep)) as place:
            return await act(place)

    with serving(provider) as url:
        out = asyncio.run(run(url))
    assert provider.violations == []
    return out


def test_vercel_a_record_that_serves_other_targets_keeps_serving_them() -> None:
    vercel = Vercel()
    vercel._add("SHARED", "old", "encrypted", ["production", "preview"])
    vercel._add("SHARED_TOO", "old", "encrypted", ["production", "development"])
    told = on(vercel, "vercel:shop/production", lambda place: place.set({"SHARED": Secret("new")}))
    assert [each.problem for each in told] == [None]
    told = on(vercel, "vercel:shop/production", lambda place: place.unset(["SHARED_TOO"]))
    assert [each.problem for each in told] == [None]
    kept = {(each["key"], *each["target"]): each["_value"] for each in vercel.records}
    assert kept == {("SHARED", "preview"): "old", ("SHARED", "production"): "new", ("SHARED_TOO", "development"): "old"}


def test_cloud_run_another_writers_change_is_not_lost() -> None:
    run = CloudRun()

    def meanwhile(request: Any) -> bool:
        if request.method == "PATCH" and run.etag == 1:
            run.etag, run.state = 2, {"THEIRS": "1"}
        return False

    run.faults = [Fault(500, fits=meanwhile)]
    told = on(run, "cloud-run:shop-prod/europe-west1/shop/app", lambda place: place.set({"OURS": Secret("2")}))
    assert told[0].problem.code == "place.refused"
    assert run.state == {"THEIRS": "1"}
    told = on(run, "cloud-run:shop-prod/europe-west1/shop/app", lambda place: place.set({"OURS": Secret("2")}))
    assert told[0].problem is None
    assert run.state == {"THEIRS": "1", "OURS": "2"}
    assert run.pointing


def test_cloud_run_a_revision_that_does_not_start_is_a_failure() -> None:
    run = CloudRun()
    failed = {
        "name": "projects/p/operations/o",
        "done": True,
        "error": {"code": 9, "message": "it did not start: s3cret!"},
    }
    run.faults = [Fault(200, body=failed, fits=lambda request: "/operations/" in request.path)]
    told = on(run, "cloud-run:shop-prod/europe-west1/shop/app", lambda place: place.set({"A": Secret("s3cret!")}))
    assert "did not become ready" in told[0].problem.why
    assert "s3cret!" not in told[0].problem.why


def test_secret_manager_leaves_what_others_keep_in_the_project() -> None:
    manager = SecretManager()
    manager.state["KNOWN"] = "1"
    held = on(manager, "secret-manager:shop-prod", lambda place: place.held())
    assert held["someone-elses"].may_prune is False
    assert held["someone-elses"].value is None
    assert not any("someone-elses" in request.path for request in manager.seen)


def test_railway_sets_start_no_deploy_and_references_are_left_alone() -> None:
    railway = Railway()
    on(railway, "railway:p1/e1/s1", lambda place: place.set({"A": Secret("1"), "B": Secret("2")}))
    held = on(railway, "railway:p1/e1/s1", lambda place: place.held())
    assert railway.deploys == 0
    assert not held["DATABASE_URL"].is_ours
    assert held["A"].is_ours


def test_railway_an_account_token_goes_in_the_other_header() -> None:
    railway = Railway()
    railway.auth, railway.scheme = "authorization", "Bearer "
    environ = {"RAILWAY_TOKEN": "", "RAILWAY_API_TOKEN": TOKEN}
    assert "RAILWAY_PROJECT_ID" in on(railway, "railway:p1/e1", lambda place: place.held(), **environ)


def test_github_an_environment_has_secrets_of_its_own() -> None:
    github = Github()
    on(github, "github:ada/shop/live site", lambda place: place.set({"A": Secret("1")}))
    assert {request.path for request in github.seen} == {
        "/repos/ada/shop/environments/live%20site/secrets/public-key",
        "/repos/ada/shop/environments/live%20site/secrets/A",
    }
    assert github.state == {"A": "1"}


def test_github_a_rate_limit_that_comes_as_403_is_not_taken_for_the_token() -> None:
    github = Github()
    github.faults = [
        Fault(403, {"x-ratelimit-remaining": "0", "retry-after": "3"}, {"message": "secondary rate limit"})
    ]
    told = on(github, "github:ada/shop", lambda place: place.set({"A": Secret("1")}))
    assert told[0].problem is None


def test_all_pages_are_read() -> None:
    render, github = Render(), Github()
    for provider, address in ((render, "render:srv-abc123def456"), (github, "github:ada/shop")):
        provider.state = {f"NAME_{number:03}": "x" for number in range(250)}
        assert len(on(provider, address, lambda place: place.held())) == 250
        assert len(provider.seen) == 3
