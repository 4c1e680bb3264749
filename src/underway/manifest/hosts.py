"""The names an app answers on, and the `${…}` words of `[env]` that stand for them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from underway.manifest.model import Manifest

_WORD = re.compile(r"\$\{(app|host|hosts|hosts_json|hosts_spaced|url|origins|origins_json|origins_spaced)\}")
LOOPBACK_HOSTS = ("localhost", "127.0.0.1")
"""What an app's own health check by address may send as Host."""


def hosts(app: str, domains: Sequence[str]) -> tuple[str, ...]:
    """Every host name of an app: its domains first, then `APP.localhost`."""
    return (*domains, f"{app}.localhost")


def origins(app: str, domains: Sequence[str], *, tls: str = "off", http_port: int = 8080) -> tuple[str, ...]:
    """The web origins (RFC 6454) of an app: scheme, host, and the port where it is not the scheme's own."""
    port = "" if http_port == 80 else f":{http_port}"
    public = [f"http://{d}{port}" if tls == "off" else f"https://{d}" for d in domains]
    return (*public, f"http://{app}.localhost{port}")


def expand(value: str, *, app: str, domains: Sequence[str] = (), tls: str = "off", http_port: int = 8080) -> str:
    """`value` of `[env]` with its words replaced; any other `${…}` stays as it is.

    `${app}` the name · `${host}` the first host name · `${hosts}` all, with the loopback names, by comma ·
    `${hosts_json}` the same as a JSON list, `${hosts_spaced}` with spaces · `${url}` the first origin ·
    `${origins}`, `${origins_json}`, `${origins_spaced}` likewise.
    """
    names = [*hosts(app, domains), *LOOPBACK_HOSTS]
    addresses = list(origins(app, domains, tls=tls, http_port=http_port))
    words = {
        "app": app,
        "host": names[0],
        "hosts": ",".join(names),
        "hosts_json": json.dumps(names),
        "hosts_spaced": " ".join(names),
        "url": addresses[0],
        "origins": ",".join(addresses),
        "origins_json": json.dumps(addresses),
        "origins_spaced": " ".join(addresses),
    }
    return _WORD.sub(lambda found: words[found[1]], value)


def with_own_names(manifest: Manifest, *, http_port: int = 8080) -> Manifest:
    """The manifest with the words of its `[env]` replaced by what they stand for on this machine."""
    env = {
        name: replace(
            each,
            value=expand(each.value, app=manifest.app, domains=manifest.domains, tls=manifest.tls, http_port=http_port),
        )
        for name, each in manifest.env.items()
    }
    return replace(manifest, env=MappingProxyType(env))
