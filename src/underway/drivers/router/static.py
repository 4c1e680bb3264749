"""Static files of a slot: pure functions from a route to Caddy's routes.

A file is looked for in the visitor's own slot. A name that may carry a content hash is also looked for in the other
slot and in the pool of earlier releases, so that a page which was loaded before a switch still gets its assets;
other names are not, since what a release removed must be gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from underway.drivers.router import pages

_HASH_SUFFIX = r"(?:\.(?:min|chunk|module|bundle))?\.[a-z0-9]{1,12}(?:\.map)?$"
MAYBE_HASHED = (
    r"[._-][A-Za-z0-9_-]{8,64}(?:\.[a-z0-9]{1,11}){1,3}$|/(?:_next/static|_app/immutable|_astro|assets)/.*[^/]$"
)
"""Wide: which names are looked for in other releases."""
HEX_HASHED = r"[.-][0-9a-f]{8,40}" + _HASH_SUFFIX
"""webpack, parcel, Django's ManifestStaticFilesStorage."""
HEX_MIXED = r"[.-][0-9a-f]*(?:[0-9][a-f]|[a-f][0-9])[0-9a-f]*" + _HASH_SUFFIX
"""A hash has digits and letters; `report-20240101.pdf` has not."""
SHORT_HASHED = r"[.-][A-Za-z0-9_-]{8}" + _HASH_SUFFIX
"""rollup, Vite (eight characters of base64url) and esbuild (eight of base 32)."""
SHORT_MIXED = r"(?:[0-9][A-Za-z0-9_-]*[A-Z]|[A-Z][A-Za-z0-9_-]*[0-9])[A-Za-z0-9_-]{0,6}" + _HASH_SUFFIX
IN_ASSETS = r"/assets/.*-(?:[A-Za-z0-9_-]*[0-9]|[A-Za-z0-9_-]+[A-Z])[A-Za-z0-9_-]{0,7}" + _HASH_SUFFIX
"""Vite's folder, where a digit or an inner capital is enough."""
HASHED_FOLDER = r"/_next/static/|/_app/immutable/|/_astro/.*[.-][A-Za-z0-9_-]{8}" + _HASH_SUFFIX
"""Next.js, SvelteKit and Astro keep nothing else there."""
IMMUTABLE = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "htm": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "mjs": "text/javascript; charset=utf-8",
    "json": "application/json",
    "map": "application/json",
    "webmanifest": "application/manifest+json",
    "wasm": "application/wasm",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "woff": "font/woff",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "txt": "text/plain; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "xml": "text/xml; charset=utf-8",
    "pdf": "application/pdf",
    "mp3": "audio/mpeg",
    "ogg": "audio/ogg",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "glb": "model/gltf-binary",
}
"""Said outright, since the machine's own table may lack or misname them (IANA media types, RFC 9239 for JavaScript)."""

Json = dict[str, Any]
"""A piece of Caddy's configuration."""

_OWN, _OTHER, _POOL = "{http.vars.own}", "{http.vars.other}", "{http.vars.pool}"
_FILE_PATH = "{http.vars.file_path}"
_NO_FOLDER = "[^/]$"
"""A path that ends in a slash would be looked for as a folder."""


@dataclass(frozen=True)
class StaticRoots:
    """Where files are looked for: the slot's own folder, the other slot's, the pool of earlier releases."""

    own: str
    other: str
    pool: str


def static_routes(roots: StaticRoots, *, prefix: str, spa: bool, has_web: bool) -> list[Json]:
    """Routes that answer GET and HEAD below `prefix` from files, using `named_static_routes`.

    What is no file falls through to the web process if there is one. A `spa` without a web process (or with a
    prefix of its own) answers other page paths with its index.html; under "/" with a web process, the web process
    is asked first and `spa_fallback` answers where it says 404 or 405 to a page request.
    """
    below = prefix.rstrip("/")
    handle: list[Json] = [
        {"handler": "vars", "file_path": "{http.regexp.below.1}", "own": roots.own}
        | {"other": roots.other, "pool": roots.pool},
        invoke("files"),
    ]
    if spa and (below or not has_web):
        handle.append({"handler": "subroute", "routes": [spa_fallback(roots.own)]})
    if not has_web:
        handle.append(invoke("missing"))
    return [
        {
            "match": [
                {
                    "method": ["GET", "HEAD"],
                    "path_regexp": {"name": "below", "pattern": f"^{_literal(below)}(/.*)$"},
                    "not": [{"path": ["*/.*"], "not": [{"path": ["*/.well-known/*"]}]}],
                }
            ],
            "handle": handle,
        }
    ]


def named_static_routes() -> dict[str, Json]:
    """The routes that all apps share: each expression in them costs the proxy half a megabyte."""
    files = [
        _found(_OWN, [_FILE_PATH], only=_NO_FOLDER),
        _found(_OTHER, [_FILE_PATH], only=MAYBE_HASHED),
        _found(_POOL, [_FILE_PATH], only=MAYBE_HASHED),
        _found(_OWN, [f"{_FILE_PATH}.html", f"{_FILE_PATH}index.html"]),
        _redirect_to_folder(),
    ]
    missing = [_found(_OWN, ["/404.html"], send="send_as_missing"), {"handle": [page(404, pages.NOT_FOUND)]}]
    return {
        "files": {"handle": [{"handler": "subroute", "routes": files}]},
        "missing": {"handle": [{"handler": "subroute", "routes": missing}]},
        "send": {"handle": _send()},
        "send_as_missing": {"handle": _send(status=404)},
    }


def spa_fallback(root: str, but_not: Sequence[Json] = ()) -> Json:
    """The route that answers a page request with the index of `root`: one whose last part has no dot.

    Requests that match one of `but_not` are none. A `200.html` comes first: SvelteKit and Nuxt write the page for
    every path by that name, beside an index that is the page of `/` alone.
    """
    route = _found(root, ["/200.html", "/index.html"])
    route["match"][0] |= {"method": ["GET", "HEAD"], "path_regexp": {"pattern": r"/[^./]*$"}}
    if but_not:
        route["match"][0]["not"] = list(but_not)
    return route


def to_site(prefix: str) -> list[Json]:
    """The route that leads from `/` to files that are served below a path of their own, when nothing else is here."""
    below = prefix.rstrip("/")
    if not below:
        return []
    headers = {"Location": [f"{below}/"], "Cache-Control": [REVALIDATE]}
    answer: Json = {"handler": "static_response", "status_code": "302", "headers": headers}
    return [{"match": [{"method": ["GET", "HEAD"], "path": ["/", below]}], "handle": [answer], "terminal": True}]


def invoke(name: str) -> Json:
    """A handler that runs one of the named routes."""
    return {"handler": "invoke", "name": name}


def page(status: int | str, body: str, headers: dict[str, list[str]] | None = None) -> Json:
    """A handler that answers with one of our pages."""
    return {
        "handler": "static_response",
        "status_code": str(status),
        "headers": pages.HEADERS | (headers or {}),
        "body": body,
    }


def _redirect_to_folder() -> Json:
    """`/docs` → `/docs/` when that folder has an index, so that its relative links work."""
    return {
        "match": [{"file": {"root": _OWN, "try_files": [f"{_FILE_PATH}/index.html"]}}],
        "handle": [
            {
                "handler": "static_response",
                "status_code": "308",
                "headers": {"Location": ["{http.request.orig_uri.path}/"], "Cache-Control": [REVALIDATE]},
            }
        ],
        "terminal": True,
    }


def _found(root: str, try_files: Sequence[str], *, only: str = "", send: str = "send") -> Json:
    match: Json = {"file": {"root": root, "try_files": list(try_files)}}
    if only:
        match["path_regexp"] = {"pattern": only}
    return {"match": [match], "handle": [{"handler": "vars", "root": root}, invoke(send)], "terminal": True}


def _send(status: int = 0) -> list[Json]:
    """Handlers that send the file that the matcher found below the variable `root`."""
    server: Json = {
        "handler": "file_server",
        "root": "{http.vars.root}",
        "index_names": [],
        "canonical_uris": False,
        "precompressed": {"br": {}, "zstd": {}, "gzip": {}},
        "precompressed_order": ["br", "zstd", "gzip"],
    }
    if status:
        server["status_code"] = str(status)
    headers: Json = {"handler": "subroute", "routes": [*_caching(), *_media_type()]}
    return [{"handler": "rewrite", "uri": "{http.matchers.file.relative}"}, headers, server]


def _caching() -> list[Json]:
    hashed = " || ".join(
        (
            f"({_path_matches(HEX_HASHED)} && {_path_matches(HEX_MIXED)})",
            f"({_path_matches(SHORT_HASHED)} && ({_path_matches(SHORT_MIXED)} || {_path_matches(IN_ASSETS)}))",
            _path_matches(HASHED_FOLDER),
        )
    )
    return [
        {"group": "caching", "match": [{"expression": hashed}], "handle": [_set_header("Cache-Control", IMMUTABLE)]},
        {"group": "caching", "handle": [_set_header("Cache-Control", REVALIDATE)]},
        {"handle": [_set_header("X-Content-Type-Options", "nosniff")]},
    ]


def _media_type() -> list[Json]:
    return [
        {
            "match": [{"path_regexp": {"name": "extension", "pattern": r"\.([a-z0-9]{1,12})$"}}],
            "handle": [
                {
                    "handler": "map",
                    "source": "{http.regexp.extension.1}",
                    "destinations": ["{underway.media_type}"],
                    "mappings": [{"input": name, "outputs": [type_]} for name, type_ in MEDIA_TYPES.items()],
                    "defaults": [""],
                },
                {
                    "handler": "subroute",
                    "routes": [
                        {
                            "match": [{"not": [{"vars": {"{underway.media_type}": [""]}}]}],
                            "handle": [_set_header("Content-Type", "{underway.media_type}")],
                        }
                    ],
                },
            ],
        }
    ]


def _set_header(name: str, value: str) -> Json:
    return {"handler": "headers", "response": {"set": {name: [value]}}}


def _path_matches(pattern: str) -> str:
    return f"{{http.request.uri.path}}.matches(r'{pattern}')"


def _literal(prefix: str) -> str:
    """`prefix` (letters, digits, `/._~-`) as a regular expression."""
    return prefix.replace(".", r"\.")
