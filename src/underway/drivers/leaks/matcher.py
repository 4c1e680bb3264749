"""Kingfisher's rules and ours, run in this process. Nothing is sent anywhere: scanning needs no network."""

from __future__ import annotations

from pathlib import Path

from kingfisher_sdk import DetectionPolicy, Rules, ScanInput, Scanner

from underway.leaks.judge import judge
from underway.terms.leak import Hit, Leak
from underway.terms.secret import Secret

_RULES = Path(__file__).with_name("rules.yml")
_CONTEXT = 400
_TIMEOUT_S = 10.0
_MOST_PER_FILE = 50


class Matcher:
    """Compiled rules. Making one takes half a second, five the first time on a machine (`cache` keeps them)."""

    def __init__(self, cache: Path) -> None:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        rules = Rules([_RULES], confidence="medium", cache_dir=cache)
        self._scanner = Scanner(rules, policy=DetectionPolicy(inline_ignores=False))

    def leaks(self, path: str, content: bytes) -> list[Leak]:
        """The leaks of one file. Raises `TimeoutError` when it takes over ten seconds."""
        out: dict[tuple[int, str], Leak] = {}
        for found in self._scanner.scan_input(ScanInput(path=path, data=content), timeout=_TIMEOUT_S):
            if not found.visible or len(out) >= _MOST_PER_FILE:
                continue
            at = found.location
            start, end = at["start_offset"], at["end_offset"]
            is_plain = content[start:end] == found.secret.encode(errors="surrogateescape")
            line_start = content.rfind(b"\n", 0, start) + 1
            line_end = content.find(b"\n", end)
            hit = Hit(
                rule=found.rule_id,
                says=_short(found.rule_name),
                secret=Secret(found.secret),
                path=path,
                line=at["line"],
                column=at["column"] + 1,
                before=_text(content[max(line_start, start - _CONTEXT) : start]) if is_plain else "",
                after=_text(content[end : min(line_end if line_end >= 0 else len(content), end + _CONTEXT)])
                if is_plain
                else "",
                around=_text(content[max(0, start - _CONTEXT) : end + _CONTEXT]) if is_plain else "",
            )
            leak = judge(hit)
            if leak is None:
                continue
            key = (leak.line, leak.fingerprint)
            other = out.get(key)
            if other is None or _is_vaguer(other, leak):
                out[key] = leak
        return list(out.values())


def _is_vaguer(other: Leak, leak: Leak) -> bool:
    """Of two rules that match the same text, the one that knows whose it is tells more."""
    vague = ("underway.assigned-secret", "underway.env-file-secret")
    return other.rule in vague and leak.rule not in vague


def _short(name: str) -> str:
    """The rule's name without the sermon: `Discovered a Stripe key, posing a risk …` → `a Stripe key`."""
    name = name.strip().rstrip(".")
    for start in ("Detected ", "Discovered ", "Identified ", "Found ", "Uncovered ", "Possible ", "Potential "):
        name = name.removeprefix(start)
    return name.split(",")[0][:100]


def _text(part: bytes) -> str:
    return part.decode("utf-8", "replace")
