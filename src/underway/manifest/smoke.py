"""`[[smoke]]` and `[[journey]]`: requests that a release must answer as said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from underway.manifest import probe_words as words
from underway.manifest.keys import Key, Table

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Expect:
    """What must come back. Values under `json` are kept as JSON text."""

    status: Annotated[
        str, Key("status", words.STATUS, '"200"', "The accepted statuses. Redirects are not followed.")
    ] = "200-299"
    text: Annotated[
        tuple[str, ...], Key("text", words.TEXTS, '["Welcome"]', "Each of these stands in the body (its first MiB).")
    ] = ()
    lacks: Annotated[tuple[str, ...], Key("lacks", words.TEXTS, '["Traceback"]', "None of these does.")] = ()
    json: Annotated[
        Mapping[str, str],
        Key(
            "json",
            words.JSON_VALUES,
            '{"status" = "ok", "items[0].id" = 7}',
            "The body is JSON, and each of these places in it holds this value.",
        ),
    ] = field(default_factory=lambda: _NOTHING)
    has: Annotated[
        tuple[str, ...],
        Key("has", words.JSON_PATHS, '["user.id"]', "The body is JSON, and each of these places in it exists."),
    ] = ()
    headers: Annotated[
        Mapping[str, str],
        Key("headers", words.EXPECTED_HEADERS, '{Location = "/login"}', "Each of these headers holds this text."),
    ] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class Smoke:
    """One request. At most one of `body`, `json` and `form`. `json` is kept as JSON text."""

    path: Annotated[str, Key("path", words.PATH, '"/api/items?page=1"', "What is asked, with its query.")]
    name: Annotated[str, Key("name", words.NAME, '"the list of items"', "What it is called; else method and path.")] = (
        ""
    )
    method: Annotated[str, Key("method", words.METHOD, '"POST"', "How it is asked.")] = "GET"
    headers: Annotated[
        Mapping[str, str],
        Key("headers", words.SENT_HEADERS, '{Authorization = "Bearer ${token}"}', "Headers sent with it."),
    ] = field(default_factory=lambda: _NOTHING)
    body: Annotated[str, Key("body", words.BODY, '"a=1"', "The body as it is sent.")] = ""
    json: Annotated[
        str, Key("json", words.JSON, '{title = "Probe ${unique}"}', "The body, sent as `application/json`.")
    ] = ""
    form: Annotated[
        Mapping[str, str],
        Key(
            "form",
            words.FORM,
            '{user = "probe", password = "${env.PROBE_PASSWORD}"}',
            "The body, sent as a web form (`application/x-www-form-urlencoded`).",
        ),
    ] = field(default_factory=lambda: _NOTHING)
    timeout_s: Annotated[float, Key("timeout", words.TIMEOUT, '"2s"', "The whole answer must be there by then.")] = 10.0
    keep: Annotated[
        Mapping[str, str],
        Key(
            "keep",
            words.KEEP,
            '{token = "json:access_token"}',
            "For later steps of the journey: a name, and where its value stands: `json:PLACE`, `header:NAME`, "
            "`cookie:NAME`, or `input:NAME` (the value of a form's field in a page).",
        ),
    ] = field(default_factory=lambda: _NOTHING)
    expect: Annotated[Expect, Table("expect", Expect, "What must come back.", short="status")] = field(
        default_factory=Expect
    )

    @property
    def title(self) -> str:
        """What it is called when it is told of."""
        return self.name or f"{self.method} {self.path}"


@dataclass(frozen=True)
class Journey:
    """Requests in a row, as one visitor makes them."""

    name: Annotated[str, Key("name", words.NAME, '"buy a ticket"', "What it is called.")]
    steps: Annotated[tuple[Smoke, ...], Table("steps", Smoke, "The requests, in their order.", is_list=True)] = ()
