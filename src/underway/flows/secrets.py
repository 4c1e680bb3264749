"""Secrets written in a manifest leave it before anything is planned: plans and journal only know their names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from urllib.parse import urlsplit

from underway.manifest.model import Manifest
from underway.steps.environment import KEPT_PREFIX
from underway.terms.secret import Secret

_KEPT = re.compile(rf"{KEPT_PREFIX}(?P<name>[A-Za-z0-9_]+)_(?P<number>\d+)", re.ASCII)


def set_aside(manifest: Manifest, kept: Mapping[str, Secret]) -> tuple[Manifest, dict[str, Secret]]:
    """The manifest with every secret value replaced by a reference, and the values the vault must keep for it.

    A value that the vault has already (`kept`) keeps its name, so that every release goes on with its own values.
    Secrets are `[env]` values marked `secret`, and addresses of services that carry a password.
    """
    fresh: dict[str, Secret] = {}

    def reference(name: str, value: str) -> str:
        return f"${{{_name_of(name, Secret(value), kept, fresh)}}}"

    env = {
        name: replace(variable, value=reference(name, variable.value))
        if variable.secret and variable.value and not variable.generate
        else variable
        for name, variable in manifest.env.items()
    }
    environments = {
        layer: replace(
            keys,
            env=MappingProxyType(
                {
                    name: reference(name, value) if value and _may_be_secret(manifest, name) else value
                    for name, value in keys.env.items()
                }
            ),
        )
        for layer, keys in manifest.environments.items()
    }
    services = manifest.services
    if services.postgres and _has_password(services.postgres.url):
        url = reference("POSTGRES_URL", services.postgres.url)
        services = replace(services, postgres=replace(services.postgres, url=url))
    if services.redis and _has_password(services.redis.url):
        url = reference("REDIS_URL", services.redis.url)
        services = replace(services, redis=replace(services.redis, url=url))
    kept_manifest = replace(
        manifest, env=MappingProxyType(env), environments=MappingProxyType(environments), services=services
    )
    return kept_manifest, fresh


def _may_be_secret(manifest: Manifest, name: str) -> bool:
    return name not in manifest.env or manifest.env[name].is_secret


def _name_of(name: str, value: Secret, kept: Mapping[str, Secret], fresh: dict[str, Secret]) -> str:
    """The vault's name of `value`: the one it has, or the next free number."""
    numbers = [0]
    for known in kept:
        found = _KEPT.fullmatch(known)
        if found and found["name"] == name:
            if kept[known] == value:
                return known
            numbers.append(int(found["number"]))
    chosen = f"{KEPT_PREFIX}{name}_{max(numbers) + 1}"
    fresh[chosen] = value
    return chosen


def _has_password(url: str) -> bool:
    try:
        return bool(urlsplit(url).password)
    except ValueError:
        return False
