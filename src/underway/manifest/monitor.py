"""`[[monitor]]`, `[[slo]]` and `[alerts]`: what is asked again and again, what was promised, who is told."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from underway.manifest import words
from underway.manifest.keys import Key, Table
from underway.manifest.kinds import Choice, Flag, ListOf, Text, Whole
from underway.manifest.limits import LimitKeys, StepKeys
from underway.manifest.measures import Duration, Percent
from underway.manifest.smoke import Expect
from underway.terms.alert import Severity
from underway.terms.monitor import MonitorKind

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}", re.ASCII)
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}", re.ASCII)
_CHANNEL_URL = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\}|[a-z][a-z0-9+.-]*://\S+)", re.ASCII)


def _name(text: str) -> tuple[str, str] | None:
    return None if _NAME.fullmatch(text) else ("it is no name", "use letters, digits, spaces, dots, _ and -")


def _channel(text: str) -> tuple[str, str] | None:
    if _CHANNEL_URL.fullmatch(text):
        return None
    return ("it is no address", 'write it as "https://…", or "${NAME}" of a variable that holds it')


def _heartbeat(text: str) -> tuple[str, str] | None:
    if _CHANNEL_URL.fullmatch(text) and text.startswith(("$", "http://", "https://")):
        return None
    return ("it is no address of the web", 'write it as "https://…", or "${NAME}" of a variable that holds it')


def _route(text: str) -> tuple[str, str] | None:
    return None if words.ROUTE.fullmatch(text) else ("it is no route", 'write "/api/*" or "GET /api/*"')


def _reference(text: str) -> tuple[str, str] | None:
    if re.fullmatch(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", text, re.ASCII):
        return None
    return ("it is not the name of a variable", 'a secret does not stand in this file: write "${NAME}"')


ROUTE = Text("a route", '"GET /api/*"', 200, _route, may_be_empty=True)
REFERENCE = Text("${NAME}", '"${PAGERDUTY_KEY}"', 100, _reference, may_be_empty=True)
NAME = Text("a name", '"front page"', 60, _name)
TARGET = Text("what is asked", '"https://shop.example.com/"', 500, may_be_empty=True)
HEARTBEAT = Text("an address or ${NAME}", '"${HEARTBEAT_URL}"', 1000, _heartbeat, may_be_empty=True)
CHANNEL_URL = Text("an address or ${NAME}", '"${ALERT_URL}"', 1000, _channel)
INTERVAL = Duration("1s", "30d")
FOR = Duration("0s", "1d")
KIND = Choice(tuple(kind.value for kind in MonitorKind))
SEVERITY = Choice(tuple(severity.value for severity in Severity))
CHANNEL = Choice(("webhook", "pagerduty", "apprise"))
OBJECTIVE = Percent("50%", "99.999%")
WINDOW = Duration("1h", "90d")


@dataclass(frozen=True)
class MonitorKeys:
    """`[[monitor]]`."""

    name: Annotated[str, Key("name", NAME, '"front page"', "What it is called, in this app once.")]
    kind: Annotated[str, Key("kind", KIND, '"tcp"', "How it is asked.")] = "http"
    target: Annotated[
        str,
        Key(
            "target",
            TARGET,
            '"https://shop.example.com/"',
            "What is asked: an address of the web, `HOST:PORT` (tcp, postgres, redis), a host name (dns), a shell line "
            "(command), the name of a `[[journey]]` (journey). A `ping` has none: its schedule asks the address that "
            "`underway monitors` shows.",
        ),
    ] = ""
    interval_s: Annotated[
        float,
        Key("interval", INTERVAL, '"1m"', "How often; for a `ping`, how often the schedule runs."),
    ] = 30.0
    timeout_s: Annotated[float, Key("timeout", INTERVAL, '"5s"', "An answer that takes longer failed.")] = 10.0
    retries: Annotated[
        int, Key("retries", Whole(0, 5), "2", "A check that failed is tried again so often before it counts.")
    ] = 1
    fails: Annotated[int, Key("fails", Whole(1, 20), "3", "Down: so many of the last `of` checks failed.")] = 2
    of: Annotated[int, Key("of", Whole(1, 20), "5", "See `fails`.")] = 3
    grace_s: Annotated[float, Key("grace", FOR, '"10m"', "A `ping` may come so late before it counts as missed.")] = (
        60.0
    )
    expect: Annotated[Expect, Table("expect", Expect, "What must come back (http).", short="status")] = field(
        default_factory=Expect
    )
    answer: Annotated[str, Key("answer", TARGET, '"192.0.2.7"', "An address that must be among those found (dns).")] = (
        ""
    )
    certificate_days: Annotated[
        int,
        Key("certificate_days", Whole(0, 365), "30", "Warn when the certificate ends in fewer days (https)."),
    ] = 14
    private: Annotated[
        bool,
        Key(
            "private",
            Flag(),
            "true",
            "The target may be in a private network or on this machine. Without it such addresses are refused, so that "
            "a manifest cannot make the agent ask what only it can reach.",
        ),
    ] = False
    windows: Annotated[
        tuple[str, ...],
        Key(
            "windows",
            words.SPANS,
            '["Sun 03:00-05:00"]',
            "Announced maintenance: what fails then is no alert. In the time zone of `[alerts]`.",
        ),
    ] = ()
    severity: Annotated[str, Key("severity", SEVERITY, '"warning"', "Of the alert when it is down.")] = "critical"


@dataclass(frozen=True)
class ObjectiveKeys:
    """`[[slo]]`."""

    name: Annotated[str, Key("name", NAME, '"pages"', "What it is called, in this app once.")]
    objective: Annotated[float, Key("objective", OBJECTIVE, '"99.9%"', "So many of the requests are good.")] = 0.995
    latency_ms: Annotated[
        float,
        Key(
            "latency",
            Duration("0s", "10m", in_ms=True),
            '"300ms"',
            'Good is an answer within this time; `"0s"`: good is one that did not fail.',
        ),
    ] = 0.0
    route: Annotated[
        str,
        Key(
            "route",
            ROUTE,
            '"GET /api/*"',
            "Only these requests, `*` for any characters. Left out: all of them.",
        ),
    ] = ""
    window_s: Annotated[float, Key("window", WINDOW, '"7d"', "Over how long it is counted.")] = 30 * 86_400.0
    least: Annotated[
        int,
        Key("least", Whole(1, 100_000), "50", "An alert needs so many requests that were not good in its long window."),
    ] = 10


@dataclass(frozen=True)
class ChannelKeys:
    """`[[alerts.channels]]`."""

    name: Annotated[str, Key("name", NAME, '"team"', "What it is called.")]
    url: Annotated[
        str,
        Key(
            "url",
            CHANNEL_URL,
            '"${ALERT_URL}"',
            "Where messages go: of a `webhook` its address, of `apprise` one of its addresses (`slack://…`, "
            "`mailto://…`), of `pagerduty` the server (left as it is) with the key in `key`. It usually is a secret: "
            "name the variable that holds it.",
        ),
    ] = "https://events.pagerduty.com"
    kind: Annotated[str, Key("kind", CHANNEL, '"pagerduty"', "What is spoken there.")] = "webhook"
    key: Annotated[
        str,
        Key(
            "key",
            REFERENCE,
            '"${PAGERDUTY_KEY}"',
            "The variable with the secret a `webhook` is signed with, or PagerDuty's routing key.",
        ),
    ] = ""
    severity: Annotated[
        str, Key("severity", SEVERITY, '"critical"', "Told are alerts that are at least so severe.")
    ] = "warning"
    after_s: Annotated[
        float,
        Key("after", FOR, '"15m"', "An escalation: told only of what nobody acknowledged for so long."),
    ] = 0.0
    private: Annotated[
        bool, Key("private", Flag(), "true", "The address may be in a private network or on this machine.")
    ] = False


@dataclass(frozen=True)
class AlertKeys:
    """`[alerts]`."""

    channels: Annotated[
        tuple[ChannelKeys, ...],
        Table("channels", ChannelKeys, "Who is told. Without any, alerts are shown and not sent.", is_list=True),
    ] = ()
    quiet: Annotated[
        tuple[str, ...],
        Key("quiet", words.SPANS, '["Mon-Sun 22:00-24:00"]', "When only critical alerts are sent; the others wait."),
    ] = ()
    timezone: Annotated[str, Key("timezone", words.TIMEZONE, '"Europe/Berlin"', "Of every span of the week.")] = "UTC"
    security: Annotated[
        bool,
        Key(
            "security",
            words.FLAG,
            "true",
            "Also an alert when somebody tries log-ins one after the other, or when a scan was answered. Without it "
            "that is only shown: `underway security`.",
        ),
    ] = False
    runbook: Annotated[
        str, Key("runbook", TARGET, '"https://wiki.example.com/shop"', "Where to read on; sent with every alert.")
    ] = ""
    limits: Annotated[
        tuple[LimitKeys, ...],
        Table("limits", LimitKeys, "Limits of your own, beside or in the place of the usual ones.", is_list=True),
    ] = ()
    steps: Annotated[
        tuple[StepKeys, ...],
        Table("steps", StepKeys, "What to do about an alert, in your own words.", is_list=True),
    ] = ()
    heartbeat: Annotated[
        str,
        Key(
            "heartbeat",
            HEARTBEAT,
            '"${HEARTBEAT_URL}"',
            "The agent asks this address while it keeps this app: a dead-man check elsewhere (a monitor of kind `ping` "
            "of another Underway, or any such service) tells when that ends. It usually is a secret: name the variable "
            "that holds it.",
        ),
    ] = ""
    heartbeat_s: Annotated[
        float, Key("heartbeat_every", Duration("5s", "1h"), '"5m"', "How often `heartbeat` is asked.")
    ] = 60.0
    heartbeat_private: Annotated[
        bool,
        Key("heartbeat_private", Flag(), "true", "`heartbeat` may be in a private network or on this machine."),
    ] = False
    references: Annotated[
        tuple[str, ...],
        Key(
            "references",
            ListOf(TARGET, 10),
            '["192.0.2.53:53"]',
            "`HOST:PORT` that this machine reaches while it is online. They are tried only when monitors of other "
            "machines fail, to tell a site that is down from a machine that is offline.",
        ),
    ] = ("1.1.1.1:53", "8.8.8.8:53", "9.9.9.9:53")

    @property
    def variables(self) -> frozenset[str]:
        """The variables that channels and the heartbeat name."""
        said = [self.heartbeat, *(text for each in self.channels for text in (each.url, each.key))]
        return frozenset(name for text in said for name in _VARIABLE.findall(text))
