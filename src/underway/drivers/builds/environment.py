"""What a build may see of the environment: where packages come from, and nothing that is somebody's secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

_NAMES = frozenset(
    {
        "PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ",
        "UV_DEFAULT_INDEX", "UV_FIND_LINKS", "UV_EXTRA_INDEX_URL", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS",
        "UV_INSECURE_HOST", "UV_HTTP_TIMEOUT", "UV_CONFIG_FILE", "UV_NO_INDEX", "UV_OFFLINE", "UV_EXCLUDE_NEWER",
        "UV_KEYRING_PROVIDER", "UV_PYTHON_INSTALL_MIRROR", "UV_CONCURRENT_DOWNLOADS",
        "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "NETRC",
        "NODE_EXTRA_CA_CERTS", "COREPACK_NPM_REGISTRY", "YARN_NPM_REGISTRY_SERVER",
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy",
    }
)  # fmt: skip
_PREFIXES = ("PIP_", "UV_INDEX", "npm_config_", "NPM_CONFIG_")
_NOT_PASSED = re.compile(r"(?i)(pip|npm_config)_(target|prefix|user|root|require_virtualenv|global|cache|log)$")
"""Settings that would move what is installed out of the build."""


def build_environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The part of `environ` that build commands get: PATH, the language, and where packages come from (index,
    CA and proxy variables). It is never given to the app. HOME, TMPDIR and the caches are set per build.

    pip's own index variables are also told to uv, which does not read them: PIP_INDEX_URL becomes
    UV_DEFAULT_INDEX, PIP_EXTRA_INDEX_URL becomes UV_INDEX and PIP_FIND_LINKS becomes UV_FIND_LINKS (unless set).
    """
    kept = {
        name: value
        for name, value in environ.items()
        if (name in _NAMES or name.startswith(_PREFIXES)) and not _NOT_PASSED.match(name) and "\0" not in value
    }
    kept.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    kept.setdefault("LANG", "C.UTF-8")
    for pip, uv, separator in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", ""),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX", " "),
        ("PIP_FIND_LINKS", "UV_FIND_LINKS", ","),
    ):
        if kept.get(pip):
            kept.setdefault(uv, separator.join(kept[pip].split()) if separator else kept[pip])
    return MappingProxyType(kept)


INDEX_SETTINGS = (".npmrc", ".yarnrc.yml", ".config/uv/uv.toml", ".config/pip/pip.conf", ".pip/pip.conf")
"""Files below HOME that say where packages come from. A build has a HOME of its own, with copies of these."""
_LARGEST = 64 << 10


def index_settings(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The texts of the user's own `INDEX_SETTINGS`."""
    home = environ.get("HOME", "")
    found: dict[str, str] = {}
    for name in INDEX_SETTINGS if home.startswith("/") else ():
        try:
            with open(f"{home}/{name}", encoding="utf-8") as file:
                found[name] = file.read(_LARGEST)
        except (OSError, ValueError):
            continue
    return found


def credentials(environ: Mapping[str, str], settings: Mapping[str, str] = MappingProxyType({})) -> tuple[str, ...]:
    """Secrets that ride in these variables and settings files (user information of URLs, tokens), longest first, so
    that logs can be cleared of them."""
    found: set[str] = set()
    for text in settings.values():
        found.update(re.findall(r"(?i)(?:_auth|_authtoken|_password|password)\s*[=:]\s*[\"']?([^\s\"']+)", text))
        found.update(re.findall(r"://[^/\s:@]*:?([^/\s:@]+)@", text))
    for name, value in environ.items():
        for word in re.split(r"[\s,]+", value):
            if "@" in word and "://" in word:
                try:
                    url = urlsplit(word.partition("=")[2] if "=" in word.partition("://")[0] else word)
                except ValueError:
                    continue
                found.add(url.password or url.username or "")  # a name alone is how tokens are given
        if re.search(r"(?i)(password|_auth|token|secret)", name):
            found.add(value)
    return tuple(sorted((secret for secret in found if len(secret) >= 4), key=len, reverse=True))
