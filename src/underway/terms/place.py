"""Places outside Underway where an app's environment lives as well, and how each of them behaves."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from underway.terms.problem import Problem, Refusal


class PlaceKind(Enum):
    """What `--with` may name first."""

    RENDER = "render"
    VERCEL = "vercel"
    RAILWAY = "railway"
    FLY = "fly"
    DOPPLER = "doppler"
    SUPABASE = "supabase"
    SECRET_MANAGER = "secret-manager"  # noqa: S105 - the name of a product
    CLOUD_RUN = "cloud-run"
    GITHUB = "github"
    KUBERNETES = "kubernetes"
    FILE = "file"


class Reading(Enum):
    """What a place gives back."""

    VALUES = "values"
    DIGESTS = "digests"
    """Names, and a digest of the place's own making or the time of the last change; the value never."""


class Effect(Enum):
    """When a change reaches the app there."""

    AT_ONCE = "at once"
    NEXT_DEPLOY = "at its next deploy"
    NEXT_RESTART = "when its processes restart"


@dataclass(frozen=True)
class Traits:
    """How a place behaves. Sources are the providers' own contracts and documents, said in docs/env-sync.md.

    `writes` tells in words how it takes changes. `name` is what a name must be, `reserved` what it must not be;
    `most_bytes` bounds one value and `most` the number of them (0: no bound known). `expands` is text in a value that
    the place would replace with something else.
    """

    title: str
    shape: str
    reading: Reading
    effect: Effect
    writes: str
    tokens: tuple[str, ...]
    renew: str
    url: str
    url_setting: str
    name: str = r"[A-Za-z_][A-Za-z0-9_]*"
    reserved: str = ""
    most_bytes: int = 0
    most: int = 0
    expands: str = ""
    trap: str = ""


TRAITS: Mapping[PlaceKind, Traits] = {
    PlaceKind.RENDER: Traits(
        title="Render service",
        shape="render:SERVICE_ID",
        reading=Reading.VALUES,
        effect=Effect.NEXT_DEPLOY,
        writes="one by one; its replace-all call is not used, since it would remove what is not in it",
        tokens=("RENDER_API_KEY",),
        renew="make a key at dashboard.render.com/u/settings#api-keys",
        url="https://api.render.com/v1",
        url_setting="RENDER_API_URL",
        trap="variables of linked environment groups are not shown by the service",
    ),
    PlaceKind.VERCEL: Traits(
        title="Vercel project",
        shape="vercel:PROJECT/production|preview|development[/TEAM_ID]",
        reading=Reading.VALUES,
        effect=Effect.NEXT_DEPLOY,
        writes="merged in one call, whose answer may hold failures; a record shared with another target is split first",
        tokens=("VERCEL_TOKEN",),
        renew="make a token at vercel.com/account/settings/tokens",
        url="https://api.vercel.com",
        url_setting="VERCEL_API_URL",
        reserved=r"VERCEL|VERCEL_.*|NOW_REGION|AWS_REGION|LAMBDA_.*",
        most_bytes=65_536,
        trap="values of the type sensitive are never given back; new ones are of that type outside development",
    ),
    PlaceKind.RAILWAY: Traits(
        title="Railway service",
        shape="railway:PROJECT_ID/ENVIRONMENT_ID[/SERVICE_ID]",
        reading=Reading.VALUES,
        effect=Effect.NEXT_DEPLOY,
        writes="merged in one call that starts no deploy; removals go one by one, and each of them starts one",
        tokens=("RAILWAY_TOKEN", "RAILWAY_API_TOKEN"),
        renew="make one in the project's settings (RAILWAY_TOKEN) or at railway.com/account/tokens (RAILWAY_API_TOKEN)",
        url="https://backboard.railway.com/graphql/v2",
        url_setting="RAILWAY_API_URL",
        reserved=r"RAILWAY_.*",
        expands="${{",
        trap="faults come with status 200; without a service the variables are the shared ones",
    ),
    PlaceKind.FLY: Traits(
        title="Fly.io app",
        shape="fly:APP",
        reading=Reading.DIGESTS,
        effect=Effect.NEXT_DEPLOY,
        writes="merged in one call, removals too; staged until machines are updated",
        tokens=("FLY_API_TOKEN",),
        renew="run: fly tokens create deploy --app APP",
        url="https://api.machines.dev/v1",
        url_setting="FLY_API_URL",
        reserved=r"FLY_.*",
        trap="a rolled-back machine keeps the version of secrets it was made with",
    ),
    PlaceKind.DOPPLER: Traits(
        title="Doppler config",
        shape="doppler:PROJECT/CONFIG",
        reading=Reading.VALUES,
        effect=Effect.AT_ONCE,
        writes="merged in one call; removals one by one",
        tokens=("DOPPLER_TOKEN",),
        renew="make a service token for the config in Doppler, under Access",
        url="https://api.doppler.com/v3",
        url_setting="DOPPLER_API_URL",
        name=r"[A-Z_][A-Z0-9_]*",
        reserved=r"DOPPLER_.*",
        expands="${",
        trap="values that point at others are compared as they are written",
    ),
    PlaceKind.SUPABASE: Traits(
        title="Supabase project",
        shape="supabase:PROJECT_REF",
        reading=Reading.DIGESTS,
        effect=Effect.AT_ONCE,
        writes="merged in one call, removals in another; they reach Edge Functions only",
        tokens=("SUPABASE_ACCESS_TOKEN",),
        renew="make a token at supabase.com/dashboard/account/tokens",
        url="https://api.supabase.com",
        url_setting="SUPABASE_API_URL",
        reserved=r"SUPABASE_.*",
        most_bytes=24_576,
        trap="it answers with a digest where the value stands",
    ),
    PlaceKind.SECRET_MANAGER: Traits(
        title="Google Secret Manager",
        shape="secret-manager:PROJECT[/PREFIX]",
        reading=Reading.VALUES,
        effect=Effect.NEXT_DEPLOY,
        writes="one by one; each change adds a version, older versions stay until somebody destroys them",
        tokens=("GOOGLE_OAUTH_ACCESS_TOKEN",),
        renew="run: export GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)",
        url="https://secretmanager.googleapis.com",
        url_setting="SECRET_MANAGER_API_URL",
        most_bytes=65_536,
        trap="only secrets labelled managed-by=underway are counted as extra and removed",
    ),
    PlaceKind.CLOUD_RUN: Traits(
        title="Cloud Run service",
        shape="cloud-run:PROJECT/REGION/SERVICE[/CONTAINER]",
        reading=Reading.VALUES,
        effect=Effect.AT_ONCE,
        writes="the whole template in one call, with its etag; each change makes a revision",
        tokens=("GOOGLE_OAUTH_ACCESS_TOKEN",),
        renew="run: export GOOGLE_OAUTH_ACCESS_TOKEN=$(gcloud auth print-access-token)",
        url="https://run.googleapis.com",
        url_setting="CLOUD_RUN_API_URL",
        reserved=r"PORT|K_.*|X_GOOGLE_.*",
        most_bytes=32_768,
        most=1000,
        trap="whoever may view the service reads its values; variables that point at Secret Manager are left alone",
    ),
    PlaceKind.GITHUB: Traits(
        title="GitHub Actions",
        shape="github:OWNER/REPO[/ENVIRONMENT]",
        reading=Reading.DIGESTS,
        effect=Effect.NEXT_DEPLOY,
        writes="one by one, each sealed for the repository's public key",
        tokens=("GITHUB_TOKEN", "GH_TOKEN"),
        renew="make a fine-grained token with Secrets: read and write at github.com/settings/personal-access-tokens",
        url="https://api.github.com",
        url_setting="GITHUB_API_URL",
        name=r"[A-Z_][A-Z0-9_]*",
        reserved=r"GITHUB_.*",
        most_bytes=49_152,
        most=100,
        trap="names are upper case; values are never given back, and an organisation's secrets of the same name lose",
    ),
    PlaceKind.KUBERNETES: Traits(
        title="Kubernetes Secret",
        shape="kubernetes:NAMESPACE/SECRET",
        reading=Reading.VALUES,
        effect=Effect.NEXT_RESTART,
        writes="merged in one call, removals too",
        tokens=("KUBERNETES_TOKEN",),
        renew="run: export KUBERNETES_TOKEN=$(kubectl create token SERVICE_ACCOUNT)",
        url="",
        url_setting="KUBERNETES_API_URL",
        name=r"[A-Za-z0-9._-]+",
        most_bytes=1_000_000,
        trap="all values together must stay below 1 MiB; an immutable Secret is refused",
    ),
    PlaceKind.FILE: Traits(
        title="file",
        shape="file:PATH",
        reading=Reading.VALUES,
        effect=Effect.NEXT_RESTART,
        writes="replaced whole, comments and order kept, mode 0600",
        tokens=(),
        renew="",
        url="",
        url_setting="",
        trap="it is plain text: keep it out of git",
    ),
}


@dataclass(frozen=True)
class PlaceAddress:
    """What `--with` names. `text` is as it was written; `parts` are what its kind's shape asks for."""

    kind: PlaceKind
    parts: tuple[str, ...]

    @property
    def text(self) -> str:
        return f"{self.kind.value}:{'/'.join(self.parts)}"

    @property
    def traits(self) -> Traits:
        return TRAITS[self.kind]

    def part(self, number: int) -> str:
        """The part at `number`, empty where it was left out."""
        return self.parts[number] if number < len(self.parts) else ""

    @property
    def says(self) -> str:
        """`Render service srv-123`."""
        return f"{self.traits.title} {'/'.join(self.parts)}"


@dataclass(frozen=True)
class Memo:
    """What was last seen equal on both sides: a fingerprint of the value, and the place's own digest of it."""

    value: str
    digest: str = ""


_ID = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
_SHAPES: Mapping[PlaceKind, tuple[tuple[str, ...], int]] = {
    PlaceKind.RENDER: ((r"(?:srv|crn)-[a-z0-9]{4,40}",), 1),
    PlaceKind.VERCEL: ((_ID, r"production|preview|development", r"team_[A-Za-z0-9]{4,60}"), 2),
    PlaceKind.RAILWAY: ((_ID, _ID, _ID), 2),
    PlaceKind.FLY: ((r"[a-z0-9][a-z0-9-]{0,62}",), 1),
    PlaceKind.DOPPLER: ((_ID, _ID), 2),
    PlaceKind.SUPABASE: ((r"[a-z]{20}",), 1),
    PlaceKind.SECRET_MANAGER: ((r"[a-z0-9][a-z0-9:.-]{2,62}", r"[A-Za-z0-9_-]{1,60}"), 1),
    PlaceKind.CLOUD_RUN: ((r"[a-z0-9][a-z0-9:.-]{2,62}", r"[a-z0-9-]{2,40}", r"[a-z][a-z0-9-]{0,62}", _ID), 3),
    PlaceKind.GITHUB: ((r"[A-Za-z0-9-]{1,39}", r"[A-Za-z0-9._-]{1,100}", r"[^/\x00-\x1f]{1,100}"), 2),
    PlaceKind.KUBERNETES: ((r"[a-z0-9][a-z0-9-]{0,62}", r"[a-z0-9][a-z0-9.-]{0,252}"), 2),
}


def read_address(text: str) -> PlaceAddress:
    """`render:srv-123` → its parts. Raises `Refusal` (`place.address`) that lists the shapes there are."""
    word, colon, rest = text.partition(":")
    kind = next((one for one in PlaceKind if one.value == word), None)
    if kind is None or not colon:
        shapes = ", ".join(traits.shape for traits in TRAITS.values())
        raise Refusal([_problem(text, "it names no place that is known", f"write one of: {shapes}")])
    if kind is PlaceKind.FILE:
        if not rest or "\0" in rest:
            raise Refusal([_problem(text, "it names no file", "write file:PATH, for example file:.env.staging")])
        return PlaceAddress(kind, (rest,))
    parts = tuple(rest.split("/"))
    patterns, least = _SHAPES[kind]
    fits = least <= len(parts) <= len(patterns) and all(
        re.fullmatch(pattern, part) and part not in (".", "..") for pattern, part in zip(patterns, parts, strict=False)
    )
    if not fits:
        raise Refusal([_problem(text, f"it is no {TRAITS[kind].title}", f"write {TRAITS[kind].shape}")])
    return PlaceAddress(kind, parts)


def _problem(text: str, why: str, remedy: str) -> Problem:
    return Problem(code="place.address", where=f"--with {text[:120]}", why=why, remedy=remedy)
