"""A match of a rule, judged by what it is and where it stands."""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import re

from underway.detect.env_names import PUBLIC_SECRETS
from underway.terms.leak import Hit, Leak, Weight

_ASIDE = re.compile(
    r"(?:^|/)(?:[^/]*[_.-])?(?:tests?|testing|__tests__|e2e|spec|specs|docs?|examples?|samples?|fixtures?|testdata|mocks?|"
    r"cypress|stories|benchmarks?|seeds?)(?:[_.-][^/]*)?/|(?:^|/)(?:test[_-][^/]*|conftest\.py|[^/]*[_.-](?:test|tests|spec|stories)\.\w+|"
    r"[^/]*\.(?:md|rst|mdx|txt|adoc|html?)|[^/]*(?:exampl|sampl|templat|exempl|\.dist)[^/]*)$",
    re.IGNORECASE,
)
_ENV_FILE = re.compile(
    r"(?:^|/)(?:\.env[^/]*|[^/]*\.env|\.envrc|Dockerfile[^/]*|[^/]*\.(?:properties|ini|cfg|conf|toml|ya?ml|sh|bash|tfvars))$",
    re.IGNORECASE,
)
_NAME = re.compile(r"([A-Za-z0-9_.-]{1,80})[\"'\]]{0,3}\s{0,4}(?:=|:|=>|:=)\s{0,4}[rbu]?[\"'`]?$")
_NOT_A_VALUE = re.compile(
    r"\s|^[$%{<]|\$\{|\{\{|%\(|\)s|^(?:https?|wss?|file|/|\./|\.\./)|^[\w-]+\.[\w.-]*\(|\(\)$|[()\[\]{}]$|^[A-Za-z_]\w*\[|;$|,$"
)
_CODE = re.compile(r"[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+|[a-z]+(?:[A-Z][a-z0-9]+)+|[A-Z]+(?:_[A-Z0-9]+)+")
_PLACEHOLDER = re.compile(
    r"(?i)change|replace|example|sample|dummy|placeholder|your[-_.]?|insert|fake|mock|abc123|123456|xxxx|"
    r"\*\*\*|\.\.\.|<[^>]*>|^(?:test|dev|demo|my|super|secret|new|old|wrong|current|the|some|local|default)[-_ ]?\w*"
    r"(?:pass(?:word)?|passwd|secret|key|token|me|pw)\w*[!$#@.\d]*$|^(?:secret|pass|password|token|key|secure|correct)[-_\d!$#@.a-z]*$|"
    r"this[-_ ]?is|not[-_]?(?:a|so)?[-_]?(?:real|secret|secure)|keep[-_ ]?(?:it|this)|insecure|unsafe"
)
_HASH = re.compile(r"^(?:pbkdf2_|bcrypt|argon2|scrypt|\$2[aby]\$|\$argon2|\$6\$|\$5\$|\{SSHA|md5\$|sha1\$|!)")
_PUBLIC_NAME = re.compile(
    r"(?i)public|publishable|anon|site_?key|client_?id|_id$|_name$|_url$|_uri$|endpoint|_file$|_path$"
)
_CONTEXT_RULES = frozenset({"underway.assigned-secret", "underway.env-file-secret"})
_LOCAL = re.compile(
    r"@(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0|host\.docker\.internal|[a-z][a-z0-9_-]{0,30})(?::\d+)?(?:[/?\"'\s,#]|$)"
)


def judge(hit: Hit) -> Leak | None:
    """What a match is, or None when it is nothing to speak of."""
    secret = hit.secret.reveal()
    found = _NAME.search(hit.before)
    variable = found[1].strip(".-") if found else ""
    weighed = _weigh(hit, secret, variable)
    if weighed is None:
        return None
    weight, because = weighed
    return Leak(
        rule=hit.rule,
        says=hit.says,
        weight=weight,
        because=because,
        path=hit.path,
        line=hit.line,
        column=hit.column,
        fingerprint=fingerprint(secret),
        variable=variable[:80],
    )


def fingerprint(secret: str) -> str:
    """Sixteen hex digits of scrypt (RFC 7914; N=2¹⁴, r=8, p=1: 16 MB, some 50 ms), the same for the same secret."""
    made = hashlib.scrypt(secret.encode(errors="surrogateescape"), salt=b"underway leak", n=2**14, r=8, p=1, dklen=8)
    return made.hex()


def is_aside(path: str) -> bool:
    """True for tests, documents, examples and templates, where samples are at home."""
    return bool(_ASIDE.search(path))


def _weigh(hit: Hit, secret: str, variable: str) -> tuple[Weight, str] | None:
    if _is_inside_a_blob(hit) or PUBLIC_SECRETS.fullmatch(secret) or _PLACEHOLDER.search(secret):
        return None
    if hit.rule in _CONTEXT_RULES:
        return _context(hit, secret, variable)
    if hit.rule.endswith("generic-credential-uri"):
        return _credential_in_address(hit, secret)
    if hit.rule.endswith("curl-auth-header") and not is_random(secret):
        return None
    if hit.rule.endswith(".jwt") or secret.startswith("eyJ"):
        return _token(hit, secret)
    if public := _meant_for_browsers(hit):
        return Weight.DOUBTFUL, public
    if is_aside(hit.path) and re.search(r"private-key|django|hash|webhook|curl", hit.rule):
        return Weight.DOUBTFUL, "it stands among tests, documents or examples"
    return Weight.LEAK, "its form is that of a real one"


def _context(hit: Hit, secret: str, variable: str) -> tuple[Weight, str] | None:
    """A literal under a name that says secret: only what looks random counts."""
    if hit.rule.endswith("env-file-secret") and not _ENV_FILE.search(hit.path):
        return None
    if _NOT_A_VALUE.search(secret) or _PUBLIC_NAME.search(variable):
        return None
    if _HASH.match(secret):
        return Weight.DOUBTFUL, f"{variable or 'it'} is a hash of a password; a weak password can be found from it"
    if secret.startswith("eyJ"):
        return _token(hit, secret)
    if not is_random(secret):
        is_password = bool(re.search(r"(?i)pass(?:word|wd|phrase)?$|pwd$", variable))
        is_typed = bool(re.search(r"\d", secret) and re.search(r"[A-Za-z]", secret)) and not _CODE.fullmatch(secret)
        if not (is_password and is_typed) or is_aside(hit.path):
            return None
        return Weight.LEAK, f"{variable} is given a password in the source"
    if public := _meant_for_browsers(hit):
        return Weight.DOUBTFUL, public
    if is_aside(hit.path):
        return Weight.DOUBTFUL, f"{variable or 'it'} looks random, among tests, documents or examples"
    return Weight.LEAK, f"{variable or 'it'} is given a random value in the source"


def _meant_for_browsers(hit: Hit) -> str:
    """Keys that every visitor gets: their owner says so, and they open only what their settings allow."""
    if hit.rule.endswith("posthog-project-api-key"):
        return "a PostHog project key is meant for browsers"
    if re.search(r"(?i)firebase|authDomain", hit.around) and hit.secret.reveal().startswith("AIza"):
        return "a Firebase web key is meant for browsers; its rules must guard what it opens"
    if re.search(r"(?i)algolia|docsearch|indexName", hit.around) and re.fullmatch(r"[0-9a-f]{32}", hit.secret.reveal()):
        return "an Algolia key beside an index's name is most often the search key, which is meant for browsers"
    return ""


def _credential_in_address(hit: Hit, secret: str) -> tuple[Weight, str] | None:
    """`scheme://user:password@host`: the password of a database on the same machine or network is a sample."""
    user = re.search(r"://([^:/@\s]*):$", hit.before)
    if "$" in secret or re.search(r"[{}<>%]", secret) or (user and user[1] == secret) or len(secret) < 6:
        return None
    if _LOCAL.match(hit.after) and not is_random(secret):
        return None
    if is_aside(hit.path):
        return (Weight.DOUBTFUL, "an address with a password, among documents or tests") if is_random(secret) else None
    return Weight.LEAK, "an address with a password in it"


def _token(hit: Hit, secret: str) -> tuple[Weight, str] | None:
    """A JSON Web Token (RFC 7519): its own claims tell whether it matters."""
    parts = secret.split(".")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return Weight.DOUBTFUL, "it has the form of a JSON Web Token and cannot be read"
    if isinstance(claims, dict) and claims.get("role") == "anon":
        return None  # a Supabase key that browsers are given
    if isinstance(claims, dict) and claims.get("role") == "service_role":
        return Weight.LEAK, "it opens the whole Supabase project, past every row's rule"
    is_short_lived = isinstance(claims, dict) and isinstance(claims.get("exp"), int | float)
    if is_aside(hit.path) or is_short_lived:
        return (
            Weight.DOUBTFUL,
            "a JSON Web Token that ends" if is_short_lived else "a JSON Web Token in a document or test",
        )
    return Weight.LEAK, "a JSON Web Token that never ends"


def _is_inside_a_blob(hit: Hit) -> bool:
    """True in the middle of a long run of base 64: chance makes every short pattern there."""
    before = re.search(r"[A-Za-z0-9+/=_-]*$", hit.before)
    after = re.match(r"[A-Za-z0-9+/=_-]*", hit.after)
    return len(before[0] if before else "") + len(after[0] if after else "") > 120


def is_random(text: str) -> bool:
    """True for what was made by a machine: long enough, digits among letters, the kinds of character mixed.

    Words keep to one kind of character for several places, random text changes at about two places of three (base 62)
    or half of them (hex); 0.28 divides them on the literals of 33 public repositories (docs/leaks.md).
    """
    if len(text) < 16 or sum(c.isdigit() for c in text) < 2 or len(set(text)) < 8:
        return False
    if _CODE.fullmatch(text) and not any(sum(c.isdigit() for c in part) > 2 for part in text.split(".")):
        return False
    kinds = ["d" if c.isdigit() else "u" if c.isupper() else "l" if c.islower() else "o" for c in text]
    changes = sum(a != b for a, b in itertools.pairwise(kinds))
    longest = max((len(run) for run in re.findall(r"[a-z]+|[A-Z]+", text)), default=0)
    return changes / (len(text) - 1) >= 0.28 and longest < 9
