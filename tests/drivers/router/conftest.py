from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.drivers.router.proxied import Upstream, upstreams


@pytest.fixture(scope="session")
def app_a() -> Iterator[Upstream]:
    with upstreams("A") as (app,):
        yield app


@pytest.fixture(scope="session")
def app_b() -> Iterator[Upstream]:
    with upstreams("B") as (app,):
        yield app
