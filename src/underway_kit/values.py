"""What a variable's text must be, and what it stands for. The deploy's check and the app's start use this very code.

Nothing here imports more than the standard library, and no error carries the text that was wrong.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

TYPES = (
    "str",
    "int",
    "float",
    "bool",
    "url",
    "dsn",
    "email",
    "host",
    "port",
    "duration",
    "bytes",
    "json",
    "enum",
    "pem",
    "regex",
)
LIST_OF = "list of "
MOST_MATCHED = 1_000
"""Characters of a value that a pattern is tried on: a pattern that is slow on long text must not stop a deploy."""


class Malformed(ValueError):
    """The text is no value of its type. `why` says what is wrong with it and never what it is."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


@dataclass(frozen=True)
class Rule:
    """What one variable's text must be.

    `type` is one of `TYPES`, or `list of TYPE`; `choices` belong to enum, `pattern` to regex. `min_entropy` (bits) and
    `forbid` bind secrets, see `weak.py`.
    """

    type: str = "str"
    choices: tuple[str, ...] = ()
    pattern: str = ""
    secret: bool = False
    min_entropy: float = 0.0
    forbid: tuple[str, ...] = ()

    def parse(self, text: str) -> Any:
        """What `text` stands for. Raises `Malformed`."""
        if "\0" in text:
            raise Malformed("it holds a NUL character, which no environment can carry")
        if self.type.startswith(LIST_OF) or self.type == "list":
            return _list(self, text)
        if self.type == "enum":
            return _enum(self, text)
        if self.type == "regex":
            return _regex(self, text)
        return _PARSERS[self.type](text)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Lets `Annotated[int, Rule(type="port")]` be a pydantic field (docs.pydantic.dev, custom types)."""
        from underway_kit.settings import core_schema_of

        return core_schema_of(self, source)


def _str(text: str) -> str:
    return text


def _int(text: str) -> int:
    if not re.fullmatch(r"[+-]?\d{1,40}", text.strip(), re.ASCII):
        raise Malformed("it is no whole number")
    return int(text)


def _float(text: str) -> float:
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text.strip(), re.ASCII):
        raise Malformed("it is no number")
    number = float(text)
    if not math.isfinite(number):
        raise Malformed("it is too large a number")
    return number


_TRUE, _FALSE = {"1", "true", "t", "yes", "y", "on"}, {"0", "false", "f", "no", "n", "off"}


def _bool(text: str) -> bool:
    """The words that pydantic takes (docs.pydantic.dev, Booleans)."""
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise Malformed("it is neither true nor false (true, 1, yes, on; false, 0, no, off)")


def _url(text: str) -> str:
    _address(text, ("http", "https"), needs_host=True)
    return text


def _dsn(text: str) -> str:
    _address(text, (), needs_host=False)
    return text


def _address(text: str, schemes: tuple[str, ...], *, needs_host: bool) -> None:
    if re.search(r"[\s\x00-\x1f\x7f]", text):
        raise Malformed("it holds a space or a line break")
    scheme, sign, rest = text.partition("://")
    if not sign or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise Malformed("it is no address: it does not begin with a scheme and ://")
    if schemes and scheme.lower() not in schemes:
        raise Malformed(f"its scheme is not {' or '.join(schemes)}")
    try:
        split = urlsplit(text)
        host, _ = split.hostname, split.port
    except ValueError:
        raise Malformed("its host or its port is malformed") from None
    if needs_host and not host:
        raise Malformed("it names no host")
    if not rest:
        raise Malformed("nothing follows its scheme")


_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?", re.ASCII)


def _email(text: str) -> str:
    """An address as `<input type=email>` takes it (html.spec.whatwg.org, valid e-mail address), with a dot or
    localhost behind the @. `Name <address>` is taken as well: mail libraries read it from one variable."""
    found = re.fullmatch(r"[^<>\r\n]{0,200}<([^<>\s]+)>", text.strip())
    local, sign, domain = (found[1] if found else text.strip()).rpartition("@")
    is_domain = all(_LABEL.fullmatch(label) for label in domain.split("."))
    if not sign or not _LOCAL.fullmatch(local) or not is_domain or ("." not in domain and domain != "localhost"):
        raise Malformed("it is no e-mail address")
    return text


def _host(text: str) -> str:
    try:
        ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
        return text
    except ValueError:
        pass
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in text.removesuffix(".").split(".")):
        raise Malformed("it is neither a host name nor an IP address (a port or a scheme is no part of it)")
    return text


def _port(text: str) -> int:
    number = _int(text)
    if not 0 < number < 65_536:
        raise Malformed("a port is a number from 1 to 65535")
    return number


_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}
_PART = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,9})?)\s*(ms|min|[smhdw])", re.ASCII)


def _duration(text: str) -> timedelta:
    """`30s`, `1h30m`, or a bare number of seconds."""
    if re.fullmatch(r"\s*[0-9]{1,12}(\.[0-9]{1,9})?\s*", text, re.ASCII):
        text = f"{text.strip()}s"
    total, at = Decimal(0), 0
    stripped = text.rstrip()
    while at < len(stripped):
        part = _PART.match(stripped, at)
        if part is None:
            break
        total += Decimal(part[1]) * _SECONDS[part[2]]
        at = part.end()
    if not stripped or at < len(stripped):
        raise Malformed("it is no duration (250ms, 30s, 10m, 1h30m, 90d)")
    try:
        return timedelta(seconds=float(total))
    except OverflowError:
        raise Malformed("it is longer than anything lasts") from None


_SIZES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_SIZES |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40, "k": 2**10, "m": 2**20, "g": 2**30}


def _bytes(text: str) -> int:
    """`10MB` (10⁷), `10MiB` (10·2²⁰), or a bare number of bytes; k, m, g alone are powers of 1024, as in most tools."""
    found = re.fullmatch(r"\s*([0-9]{1,18}(?:\.[0-9]{1,6})?)\s*([A-Za-z]{0,3})\s*", text, re.ASCII)
    if not found or found[2].lower() not in _SIZES:
        raise Malformed("it is no amount of bytes (512, 10MB, 2GiB)")
    return int(Decimal(found[1]) * _SIZES[found[2].lower()])


def _json(text: str) -> Any:
    def no_constant(word: str) -> Any:
        raise Malformed(f"{word} is no JSON")

    try:
        return json.loads(text, parse_constant=no_constant)
    except Malformed:
        raise
    except (ValueError, RecursionError):
        raise Malformed("it is no JSON") from None


_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,60})-----\s(.*?)\s-----END \1-----", re.DOTALL)


def _pem(text: str) -> str:
    r"""One or more blocks of RFC 7468; line breaks may be written as `\n`, as many dashboards store them."""
    whole = text.replace("\\n", "\n") if "\n" not in text.strip() else text
    blocks = list(_BLOCK.finditer(whole))
    if not blocks:
        raise Malformed("it holds no PEM block (-----BEGIN …----- to -----END …-----)")
    for block in blocks:
        lines = [line for line in block[2].splitlines() if ":" not in line]  # RFC 1421 headers of encrypted keys
        try:
            base64.b64decode("".join("".join(lines).split()), validate=True)
        except (binascii.Error, ValueError):
            raise Malformed(f"its {block[1]} block is damaged: it is not base64") from None
    return whole


_PARSERS: dict[str, Callable[[str], Any]] = {
    "str": _str,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "url": _url,
    "dsn": _dsn,
    "email": _email,
    "host": _host,
    "port": _port,
    "duration": _duration,
    "bytes": _bytes,
    "json": _json,
    "pem": _pem,
}


def _enum(rule: Rule, text: str) -> str:
    if text not in rule.choices:
        raise Malformed(f"it is none of {', '.join(rule.choices)}")
    return text


def _regex(rule: Rule, text: str) -> str:
    if len(text) > MOST_MATCHED:
        raise Malformed(f"it has {len(text)} characters; a value with a pattern has at most {MOST_MATCHED}")
    if not re.fullmatch(rule.pattern, text):
        raise Malformed(f"it does not match the pattern {rule.pattern}")
    return text


def _list(rule: Rule, text: str) -> list[Any]:
    """A JSON list, or values between commas; an empty text is an empty list."""
    item = Rule(type=rule.type.removeprefix(LIST_OF) if rule.type != "list" else "str", choices=rule.choices,
                pattern=rule.pattern)  # fmt: skip
    stripped = text.strip()
    if stripped.startswith("["):
        raw = _json(stripped)
        if not isinstance(raw, list):
            raise Malformed("it is no list")
        words = [each if isinstance(each, str) else json.dumps(each) for each in raw]
    else:
        words = [word.strip() for word in stripped.split(",") if word.strip()]
    out = []
    for number, word in enumerate(words, 1):
        try:
            out.append(item.parse(word))
        except Malformed as error:
            raise Malformed(f"entry {number} of {len(words)}: {error.why}") from None
    return out
