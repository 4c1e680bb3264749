"""Webhooks, PagerDuty and what apprise speaks."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from underway.drivers.loopback_http import Heard, exchange
from underway.drivers.net import connect
from underway.manifest.monitor import ChannelKeys
from underway.ports.clock import Clock
from underway.terms.alert import Alert, Severity
from underway.terms.problem import Failure, Problem
from underway.terms.secret import Secret

TIMEOUT_S = 15.0
_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_PAGERDUTY = {Severity.CRITICAL: "critical", Severity.WARNING: "warning", Severity.NOTE: "info"}
_SUMMARY_CHARS = 1024


class Telling:
    """`Channels` of this machine."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def send(
        self, message: str, what: str, alerts: Sequence[Alert], channel: ChannelKeys, values: Mapping[str, Secret]
    ) -> None:
        """See the port."""
        url, key = _filled(channel.url, channel, values), _filled(channel.key, channel, values)
        if channel.kind == "pagerduty":
            for alert in alerts:
                body = pagerduty_event(alert, what, key)
                _require(await self._post(f"{url.rstrip('/')}/v2/enqueue", body, {}, channel), channel)
        elif channel.kind == "apprise":
            await _apprise(url, _title(what, alerts), told(what, alerts), channel)
        else:
            body = msgspec.json.encode(webhook_body(message, what, alerts))
            _require(await self._post(url, body, signed(message, self._clock.now(), body, key), channel), channel)

    async def post(self, message: str, url: str, secret: Secret, body: bytes, *, may_be_private: bool = False) -> None:
        """See the port."""
        there = ChannelKeys(name="subscriber", url=url, private=may_be_private)
        headers = signed(message, self._clock.now(), body, secret.reveal())
        _require(await self._post(url, body, headers, there), there)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str], channel: ChannelKeys) -> Heard:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme not in ("http", "https") or not host:
            raise Failure(_problem("channel.refused", channel, "its address is none of the web"))
        port = parts.port or (443 if parts.scheme == "https" else 80)
        tls = _context() if parts.scheme == "https" else None
        return await exchange(
            port,
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            host=host if port in (80, 443) else f"{host}:{port}",
            timeout_s=TIMEOUT_S,
            most_bytes=65_536,
            method="POST",
            headers={"Content-Type": "application/json", **headers},
            body=body,
            dial=lambda: connect(host, port, may_be_private=channel.private, tls=tls),
        )


def pagerduty_event(alert: Alert, what: str, routing_key: str) -> bytes:
    """An event of Events API v2 (developer.pagerduty.com/docs/send-alert-event). The alert's own name is the
    `dedup_key`: one that is sent twice is one incident, and the resolution finds it."""
    event: dict[str, Any] = {
        "routing_key": routing_key,
        "event_action": "resolve" if what == "cleared" else "trigger",
        "dedup_key": alert.id,
    }
    if what != "cleared":
        event["client"] = "Underway"
        event["payload"] = {
            "summary": f"{alert.app}: {alert.problem.why}"[:_SUMMARY_CHARS],
            "source": alert.app or "underway",
            "severity": _PAGERDUTY[alert.severity],
            "timestamp": datetime.fromtimestamp(alert.since, UTC).isoformat(timespec="milliseconds"),
            "component": alert.problem.where[:200],
            "class": alert.problem.code,
            "custom_details": {
                "what to do": alert.problem.remedy,
                "runbook step": alert.step,
                "command": alert.problem.command,
                "release": alert.release,
                "users touched": alert.users_touched,
            },
        }
        if alert.runbook.startswith(("https://", "http://")):
            event["links"] = [{"href": alert.runbook, "text": "Runbook"}]
    return msgspec.json.encode(event)


def webhook_body(message: str, what: str, alerts: Sequence[Alert]) -> dict[str, Any]:
    return {
        "type": f"alert.{what}",
        "message": message,
        "alerts": [
            {
                "id": alert.id,
                "app": alert.app,
                "key": alert.key,
                "severity": alert.severity.value,
                "code": alert.problem.code,
                "what": alert.problem.why,
                "where": alert.problem.where,
                "since": alert.since,
                "release": alert.release,
                "users_touched": alert.users_touched,
                "what_to_do": alert.problem.remedy,
                "step": alert.step,
                "runbook": alert.runbook,
                "command": alert.problem.command,
                "cleared_at": alert.cleared_at,
                "because": alert.because,
            }
            for alert in alerts
        ],
    }


def signed(message: str, now: float, body: bytes, secret: str) -> dict[str, str]:
    """The headers of Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec): the receiver checks
    that it is from us and recent, and drops an id that it had already."""
    stamp = str(int(now))
    headers = {"webhook-id": message, "webhook-timestamp": stamp}
    if secret:
        key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
        mac = hmac.new(key, b".".join((message.encode(), stamp.encode(), body)), hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
    return headers


def told(what: str, alerts: Sequence[Alert]) -> str:
    """The text for people: what, since when, whom it touched, the release, what to do, the command."""
    parts = []
    for alert in alerts:
        since = datetime.fromtimestamp(alert.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        if what == "cleared":
            parts.append(f"{alert.app}: over. {alert.because or alert.problem.why} (it began {since})")
            continue
        lines = [f"{alert.severity.value}: {alert.app}: {alert.problem.why}", f"since {since}"]
        if alert.users_touched:
            lines.append(f"users touched: {alert.users_touched:,}")
        if alert.release:
            lines.append(f"release: {alert.release}")
        lines.append(f"what to do: {alert.problem.remedy}")
        if alert.step:
            lines.append(f"runbook: {alert.step}")
        if alert.runbook:
            lines.append(f"read on: {alert.runbook}")
        if alert.problem.command:
            lines.append(f"run: {alert.problem.command}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _title(what: str, alerts: Sequence[Alert]) -> str:
    apps = ", ".join(sorted({alert.app for alert in alerts}))
    count = f"{len(alerts)} alerts" if len(alerts) > 1 else alerts[0].problem.code
    return f"[{apps}] {count}{' over' if what == 'cleared' else ''}"


async def _apprise(url: str, title: str, body: str, channel: ChannelKeys) -> None:
    """In a process of its own: apprise and all it imports stay out of the agent. The address goes in by a pipe."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "underway.drivers.channels.with_apprise",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(2 * TIMEOUT_S):
            await process.communicate(
                msgspec.json.encode({"url": url, "title": title, "body": body, "private": channel.private})
            )
    except TimeoutError:
        process.kill()
        await process.wait()
    if process.returncode == 3:
        raise Failure(_problem("channel.private", channel, "its address is in a private network or on this machine"))
    if process.returncode == 2:
        raise Failure(_problem("channel.refused", channel, "apprise does not know that kind of address"))
    if process.returncode:
        raise Failure(_problem("channel.unreachable", channel, "apprise could not deliver the message"))


def _require(heard: Heard, channel: ChannelKeys) -> None:
    """Raises `Failure` unless the receiver took it."""
    if "which is private" in heard.error:
        raise Failure(_problem("channel.private", channel, "its address is in a private network or on this machine"))
    if heard.error:
        raise Failure(_problem("channel.unreachable", channel, f"nothing was heard: {heard.error}"))
    if not 200 <= heard.status < 300:
        raise Failure(_problem("channel.refused", channel, f"it answered {heard.status}"))


def _filled(text: str, channel: ChannelKeys, values: Mapping[str, Secret]) -> str:
    def value(found: re.Match[str]) -> str:
        got = values.get(found[1])
        if got is None:
            raise Failure(_problem("channel.no-value", channel, f"{found[1]} has no value in the vault"))
        return got.reveal()

    return _PLACEHOLDER.sub(value, text)


def _context() -> Any:
    import ssl  # imported here: an agent without such a channel needs no list of authorities

    return ssl.create_default_context()


_REMEDIES = {
    "channel.private": "add private = true to the channel if that is meant",
    "channel.no-value": "set it, or name another variable",
}


def _problem(code: str, channel: ChannelKeys, why: str) -> Problem:
    """A channel that could not be told."""
    return Problem(
        code=code,
        where=f"alerts.channels {channel.name}",
        why=why,
        remedy=_REMEDIES.get(code, "see whether the address is right and answers; it is tried again"),
        command="underway alerts",
    )
