"""Kinds of values with a unit: lengths of time, amounts of memory, shares."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from underway.manifest.kinds import toml_text, wrong_type
from underway.manifest.spot import Spot, shown

_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "min": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86400),
}
_DURATION_PART = re.compile(r"\s*([0-9]{1,12}(?:\.[0-9]{1,18})?)\s*(ms|min|[smhd])", re.ASCII)


def seconds_of(text: str) -> Decimal | None:
    """`"1h30m"` → 5400; None when it is no duration."""
    total, at = Decimal(0), 0
    if not text or len(text) > 60:
        return None
    while at < len(text):
        part = _DURATION_PART.match(text, at)
        if part is None:
            return None
        total += Decimal(part[1]) * _SECONDS[part[2]]
        at = part.end()
    return total


@dataclass(frozen=True)
class Duration:
    """A length of time. The value is a float in seconds, or in milliseconds with `in_ms`."""

    least: str
    most: str
    in_ms: bool = False

    @property
    def takes(self) -> str:
        return f'a duration from "{self.least}" to "{self.most}"'

    def read(self, raw: object, spot: Spot) -> float | None:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            spot.refuse(
                f"{shown(raw)} has no unit",
                f'write it with one, for instance "{shown(raw)}s" (ms, s, m, h, d)',
                "manifest.type",
            )
            return None
        if not isinstance(raw, str):
            wrong_type(raw, spot, self.takes)
            return None
        seconds = seconds_of(raw)
        if seconds is None:
            spot.refuse(f"{shown(raw)} is no duration", 'write "250ms", "30s", "10m" or "1h30m"')
            return None
        least, most = seconds_of(self.least), seconds_of(self.most)
        if (least is not None and seconds < least) or (most is not None and seconds > most):
            spot.refuse(f"{shown(raw)} is out of range", f"write {self.takes}")
            return None
        return float(seconds * 1000 if self.in_ms else seconds)

    def show(self, value: object) -> str:
        exact = Decimal(repr(float(str(value))))
        seconds = exact / 1000 if self.in_ms else exact
        for unit in ("d", "h", "m", "s"):
            if seconds and seconds % _SECONDS[unit] == 0 and (unit != "d" or seconds > 86400):
                return f'"{int(seconds / _SECONDS[unit])}{unit}"'
        return f'"{_plain(seconds * 1000)}ms"' if seconds else '"0s"'


def _plain(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


_BYTES = {"tb": 10**12, "gb": 10**9, "mb": 10**6, "kb": 10**3, "tib": 2**40, "gib": 2**30, "mib": 2**20, "kib": 2**10}
_BYTES["b"] = 1
_SIZE = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([kmgt]i?b|b)\s*", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class Size:
    """An amount of memory or disk; the value is an int in bytes. With `none`, that word stands for 0: no limit."""

    least: str
    most: str
    none: str = ""

    @property
    def takes(self) -> str:
        or_none = f', or "{self.none}"' if self.none else ""
        return f'a size from "{self.least}" to "{self.most}"{or_none}'

    def read(self, raw: object, spot: Spot) -> int | None:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            spot.refuse(f"{shown(raw)} has no unit", 'write it with one: "512MB", "1GB", "2GiB"', "manifest.type")
            return None
        if not isinstance(raw, str):
            wrong_type(raw, spot, self.takes)
            return None
        if self.none and raw == self.none:
            return 0
        size = bytes_of(raw)
        if size is None:
            spot.refuse(f"{shown(raw)} is no size", 'write "512MB", "1GB" or "2GiB"')
            return None
        if not (bytes_of(self.least) or 0) <= size <= (bytes_of(self.most) or 0):
            spot.refuse(f"{shown(raw)} is out of range", f"write {self.takes}")
            return None
        return size

    def show(self, value: object) -> str:
        size = int(str(value))
        if size == 0 and self.none:
            return toml_text(self.none)
        for unit, name in (("gb", "GB"), ("gib", "GiB"), ("mb", "MB"), ("mib", "MiB"), ("kb", "kB")):
            if size % _BYTES[unit] == 0:
                return f'"{size // _BYTES[unit]}{name}"'
        return f'"{size}B"'


def bytes_of(text: str) -> int | None:
    """`"1GB"` → 1000000000, `"1GiB"` → 1073741824; None when it is no size."""
    found = _SIZE.fullmatch(text) if len(text) <= 40 else None
    return int(Decimal(found[1]) * _BYTES[found[2].lower()]) if found else None


@dataclass(frozen=True)
class Percent:
    """A share of something; the value is a fraction, 0.05 for "5%"."""

    least: str
    most: str

    @property
    def takes(self) -> str:
        return f'a percentage from "{self.least}" to "{self.most}"'

    def read(self, raw: object, spot: Spot) -> float | None:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            spot.refuse(f"{shown(raw)} is a bare number", f'write it as a percentage: "{shown(raw)}%"', "manifest.type")
            return None
        if not isinstance(raw, str):
            wrong_type(raw, spot, self.takes)
            return None
        share = _percent(raw)
        if share is None:
            spot.refuse(f"{shown(raw)} is no percentage", 'write "5%" or "0.5%"')
        elif not (_percent(self.least) or 0) <= share <= (_percent(self.most) or 0):
            spot.refuse(f"{shown(raw)} is out of range", f"write {self.takes}")
        else:
            return float(share)
        return None

    def show(self, value: object) -> str:
        return f'"{_plain(Decimal(repr(float(str(value)))) * 100)}%"'


def _percent(text: str) -> Decimal | None:
    found = re.fullmatch(r"\s*([0-9]{1,6}(?:\.[0-9]{1,20})?)\s*%\s*", text, re.ASCII) if len(text) <= 40 else None
    return Decimal(found[1]) / 100 if found else None
