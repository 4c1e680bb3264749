"""A name that leads somewhere else the second time: what was looked at is what is connected to."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from underway.drivers.asks.asks import Asking
from underway.drivers.channels.channels import Telling
from underway.drivers.clock.system import SystemClock
from underway.drivers.net import Forbidden, address_of
from underway.manifest.monitor import ChannelKeys, MonitorKeys
from underway.terms.problem import Failure

Answers = list[list[str]]


@pytest.fixture
def rebinding(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answers], tuple[list[str], list[str]]]:
    """A resolver that gives one answer after the other, and a network that only notes where somebody wanted to."""

    def prepare(answers: Answers) -> tuple[list[str], list[str]]:
        looked_up: list[str] = []
        connected: list[str] = []

        async def getaddrinfo(self: Any, host: str, port: int, **_: Any) -> list[Any]:
            looked_up.append(host)
            found = answers[min(len(looked_up), len(answers)) - 1]
            family = [socket.AF_INET6 if ":" in each else socket.AF_INET for each in found]
            return [(kind, socket.SOCK_STREAM, 6, "", (each, port)) for kind, each in zip(family, found, strict=True)]

        async def create_connection(self: Any, protocol: Any, host: str, port: int, **_: Any) -> Any:
            connected.append(host)
            raise ConnectionRefusedError(111, "Connection refused")

        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "create_connection", create_connection)
        return looked_up, connected

    return prepare


async def monitored() -> None:
    await Asking(SystemClock()).ask(MonitorKeys(name="it", target="http://rebind.example/", timeout_s=5), {})


async def told() -> None:
    await Telling(SystemClock()).send("m-1", "test", [], ChannelKeys(name="team", url="https://rebind.example/"), {})


@pytest.mark.parametrize("go", [monitored, told])
def test_a_name_is_looked_up_once_and_that_address_is_connected_to(
    rebinding: Callable[[Answers], tuple[list[str], list[str]]], go: Callable[[], Awaitable[None]]
) -> None:
    looked_up, connected = rebinding([["1.1.1.1"], ["127.0.0.1"], ["169.254.169.254"]])
    with contextlib.suppress(Failure):  # nobody answers there
        asyncio.run(go())
    assert looked_up == ["rebind.example"]
    assert connected == ["1.1.1.1"]


def test_of_several_addresses_only_a_public_one_is_taken(
    rebinding: Callable[[Answers], tuple[list[str], list[str]]],
) -> None:
    rebinding([["10.0.0.1", "::1", "1.1.1.1"], ["127.0.0.1", "fd00::1"]])
    assert asyncio.run(address_of("rebind.example", 80, may_be_private=False))[0] == "1.1.1.1"
    with pytest.raises(Forbidden):
        asyncio.run(address_of("rebind.example", 80, may_be_private=False))
