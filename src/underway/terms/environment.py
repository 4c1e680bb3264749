"""The environment of an app: layers, where a value came from, and values as a place outside holds them."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from underway.terms.problem import Problem, Refusal
from underway.terms.secret import Secret

BASE = "base"
"""The layer below every environment."""
NOT_HERE = "the app does not start without {name}, and its value is not in the repository"
"""What is said of a value that only the owner can know, where nothing more is known of it."""

PUBLIC_PREFIXES = (
    "NEXT_PUBLIC_",
    "VITE_",
    "REACT_APP_",
    "PUBLIC_",
    "NUXT_PUBLIC_",
    "EXPO_PUBLIC_",
    "GATSBY_",
    "VUE_APP_",
    "STORYBOOK_",
)
"""Variables whose values front-end tools copy into the pages they build."""
PRODUCTION = "production"
"""The environment of a deploy that names none."""
OWN = "own"
"""The layer of what Underway keeps for itself: generated values, passwords of services, values set aside."""

_NAME = re.compile(r"[a-z][a-z0-9-]{0,38}[a-z0-9]|[a-z]")


def require_environment(name: str) -> str:
    """Return `name` when it can be an environment's name, else raise `Refusal` (`env.environment`)."""
    if _NAME.fullmatch(name) and name != OWN:
        return name
    raise Refusal(
        [
            Problem(
                code="env.environment",
                where=f"environment {name[:60]!r}",
                why=f"{OWN!r} is Underway's own layer" if name == OWN else "it is no name of an environment",
                remedy="use 1 to 40 lower-case letters, digits and inner hyphens: production, staging, development",
                command="underway deploy --dry-run",
            )
        ]
    )


class Holder(Enum):
    """What kind of thing gave a value."""

    DEFAULT = "default"
    SERVICE = "service"
    MANIFEST = "manifest"
    VAULT = "vault"
    FILE = "file"
    """A vault file in the repository (`env/production.age`)."""
    GENERATED = "generated"
    PROCESS = "process"
    UNDERWAY = "underway"


@dataclass(frozen=True)
class Origin:
    """Where a value came from: the kind of thing, the layer (`base`, `production`, `process worker`), the place."""

    holder: Holder
    layer: str
    where: str = ""

    def says(self) -> str:
        """`production (vault)`, `base (underway.toml)`."""
        where = self.where or self.holder.value
        return self.layer if where == self.layer else f"{self.layer} ({where})"


@dataclass(frozen=True)
class Kept:
    """A value as a vault holds it. Times are seconds since the epoch, 0 for never or unknown.

    `former` are older values that are still accepted while a rotation is under way, newest first.
    """

    value: Secret
    set_at: float = 0.0
    set_by: str = ""
    expires_at: float = 0.0
    former: tuple[Secret, ...] = ()


@dataclass(frozen=True)
class Entry:
    """One variable of an environment, resolved. `value` is None where no layer gives one.

    `is_secret` says whether it may be shown; `over` are the origins it covers, nearest first.
    """

    name: str
    value: Secret | None
    origin: Origin | None
    is_secret: bool = True
    over: tuple[Origin, ...] = ()
    kept: Kept | None = None


@dataclass(frozen=True)
class Read:
    """One place where the app's code reads a variable. `where` is `file:line`."""

    name: str
    where: str
    is_required: bool = False
    has_default: bool = False


@dataclass(frozen=True)
class Finding:
    """What is wrong with an environment. A deploy is refused while one of them `stops` it."""

    problem: Problem
    name: str
    stops: bool


@dataclass(frozen=True)
class Held:
    """A variable as a place outside holds it. `value` is None where the place does not give values back, `digest`
    (of the place's own making, with `algorithm`) may then tell whether it is the same. `is_staged`: set there but
    not used until the place's next deploy. `is_ours` is false for what the place or somebody else keeps there: it is
    neither changed nor removed. `may_prune` is false for what may be somebody else's: it is never called extra."""

    name: str
    value: Secret | None = None
    digest: str = ""
    algorithm: str = ""
    is_staged: bool = False
    is_ours: bool = True
    may_prune: bool = True


class Environ(dict[str, str]):
    """The environment of one process, in the clear. It knows which names are secret (`hidden`), keeps that when it is
    joined with more, and prints no value."""

    def __init__(self, values: Mapping[str, str], hidden: Iterable[str] = ()) -> None:
        super().__init__(values)
        self.hidden = frozenset(hidden)

    def __or__(self, other: Mapping[str, str]) -> Environ:  # type: ignore[override]  # of the same kind again
        return Environ({**self, **other}, self.hidden | hidden_names(other))

    def __repr__(self) -> str:
        return f"Environ({', '.join(self)})"


def hidden_names(env: Mapping[str, str]) -> frozenset[str]:
    """The names of an environment whose values are secret; none for a plain mapping."""
    return env.hidden if isinstance(env, Environ) else frozenset()


def fingerprint(key: bytes, value: Secret) -> str:
    """Sixteen hex digits that are equal for equal values and tell nothing without `key` (HMAC-SHA-256)."""
    return hmac.new(key, value.reveal().encode(errors="surrogatepass"), hashlib.sha256).hexdigest()[:16]
