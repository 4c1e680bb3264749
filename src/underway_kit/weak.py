"""Secrets that are none: known defaults, too little entropy, values that stand in a repository."""

from __future__ import annotations

import math
import re
from collections import Counter

from underway_kit.values import Rule

_WORDS = re.compile(
    "|".join(
        (
            r"(django-)?insecure.*",
            r".*(change|replace|fill)[-_ ]?(me|this|it|in)([-_ ].*)?",
            r"(your|my|a|the|some|any|our)[-_ ].*(secret|key|token|password|here).*",
            r".*[-_ ]here",
            r"(dev|development|test|testing|local|default|example|sample|dummy|fake|super|top|very|jwt|app|api|flask)?"
            r"[-_ ]?(secret|key|password|passwd|token|salt)([-_ ]?(key|token|value|string))?[-_ ]?\d{0,4}",
            r"(super|very|top)[-_ ]?(dev|test)?[-_ ]?secret.*",
            r"not[-_ ]?(so|a|very)?[-_ ]?secret.*",
            r"keep[-_ ].*secret.*",
            r"s3cr3t|p[a4]ssw[o0]rd\d*!?|letmein|qwerty\w{0,6}|abc123|foo(bar)?|bar|baz|hunter2",
            r"dev|test|testing|local|default|example|sample|dummy|placeholder|todo|tbd|none|null|django|flask",
            r"admin|root|postgres|guest|user",
            r"x{3,}|\*{3,}|\.{3,}|-{3,}|<.*>|\{\{.*\}\}|0+|(123|1234)\d*",
        )
    ),
    re.IGNORECASE,
)
"""Values that people write where a secret is to come, each matched as a whole."""


FEWEST_LETTERS = 4
"""Fewer different characters than this are no secret, however long."""


def is_known_default(text: str) -> bool:
    """True for a value that stands for "put a secret here": everybody can guess it."""
    stripped = text.strip()
    return len(stripped) <= 200 and _WORDS.fullmatch(stripped) is not None


def entropy_bits(text: str) -> float:
    """The empirical entropy of the text in bits: Shannon's H over its characters, times its length.

    It is an upper bound of what the text is worth: words of a dictionary count as if their letters were random.
    """
    if not text:
        return 0.0
    total = len(text)
    return sum(-count * math.log2(count / total) for count in Counter(text).values())


def weakness(rule: Rule, text: str) -> str:
    """Why `text` is no good secret, empty when it may be one. The answer never holds the text."""
    if text in rule.forbid:
        return "it is one of the values that the manifest forbids"
    if not rule.secret:
        return ""
    if is_known_default(text):
        return "it is a known default that everybody can guess"
    if text and len(set(text)) < FEWEST_LETTERS:
        return f"it has fewer than {FEWEST_LETTERS} different characters"
    if rule.min_entropy and (bits := entropy_bits(text)) < rule.min_entropy:
        return f"it has about {bits:.0f} bits of entropy, and {rule.min_entropy:g} are asked for"
    return ""
