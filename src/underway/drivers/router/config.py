"""Caddy's configuration as a pure function of a home and its routes.

Everything that changes with a deploy, a traffic step or a rollback is read from small files at every request
(`files.py`), so that none of them needs a reload. Every value that a client sends is compared, never expanded.
"""

from __future__ import annotations

from collections.abc import Sequence

from underway.drivers.router import files, pages
from underway.drivers.router.chosen import chosen_by_name
from underway.drivers.router.share import EVERYBODY, NOBODY
from underway.drivers.router.sockets import SIDES
from underway.drivers.router.static import (
    MAYBE_HASHED,
    Json,
    StaticRoots,
    invoke,
    named_static_routes,
    page,
    spa_fallback,
    static_routes,
    to_site,
)
from underway.terms.home import Home
from underway.terms.release import Slot
from underway.terms.route import AppRoute

HTTP_FDS = (3, 4, 5)
HTTPS_FDS = (6, 7, 8)
"""The listening sockets are inherited, so that their accept queues outlive a reload and the proxy itself. A
configuration listens on its side and the one before it (`sockets.py`)."""
BUCKET_COOKIE = "underway_bucket"
PROBE_HEADER = "X-Underway-Probe"
"""Marks our own requests: the access log sets them apart."""
STREAM_CLOSE_DELAY = "24h"
"""How long a WebSocket outlives the configuration it was opened under."""
GRACE_PERIOD_S = 10
RETRY_FOR = "3s"
_UPSTREAM_IDLE = "1s"
"""Below the keep-alive of the app servers (gunicorn 2 s, uvicorn and Node 5 s)."""
_KEPT_OPEN: Json = {"idle_timeout": _UPSTREAM_IDLE, "max_idle_conns_per_host": 128}
_REPEATABLE = ["GET", "HEAD", "OPTIONS"]
"""What is asked again when its connection breaks. Anything else gets a connection of its own: an app server may close
an idle one at any moment (uvicorn does after every exception, without a word), and what is sent down it then fails."""
_ASKED_BY_SCRIPTS: list[Json] = [
    {"header": {"Accept": ["*application/json*"]}},
    {"header": {"Sec-Fetch-Dest": ["empty"]}},
]
"""What a page's own scripts ask: to them a 404 of the API is the answer (w3.org/TR/fetch-metadata, 2.1)."""
_ACCESS = "access"
_ROLL_MB = 64


def proxy_config(home: Home, routes: Sequence[AppRoute], side: int = 0) -> Json:
    """The whole configuration for `routes`, which must have been checked (`checked.py`).

    Caddy counts a group of routes as done once per request, also in a nested list: each group has its own name.
    """
    secure = [route for route in routes if public_hosts(route)]
    servers = {
        "http": _server(home, _listened(HTTP_FDS, side), [_app(home, route, is_secure=False) for route in routes])
    }
    if secure:
        servers["https"] = _server(
            home, _listened(HTTPS_FDS, side), [_app(home, route, is_secure=True) for route in secure]
        )
        servers["https"] |= {"protocols": ["h1", "h2"], "tls_connection_policies": [{}]}
    return {
        "admin": {"listen": f"unix/{files.admin_socket(home)}|0600", "config": {"persist": False}},
        "logging": _logging(home),
        "storage": {"module": "file_system", "root": str(home.proxy / "certificates")},
        "apps": {
            "http": {
                "http_port": home.http_port,
                "https_port": home.https_port,
                "grace_period": f"{GRACE_PERIOD_S}s",
                "servers": servers,
            },
            "tls": _tls(secure),
            "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        },
    }


def public_hosts(route: AppRoute) -> list[str]:
    """The hosts that are served over HTTPS: none with tls off, never `APP.localhost`."""
    return [] if route.tls == "off" else [host for host in route.hosts if not host.endswith(".localhost")]


def side_of(config: Json | None) -> int:
    """The side that a running configuration listens on; 0 for one that is not ours."""
    try:
        listened = config["apps"]["http"]["servers"]["http"]["listen"] if config else []
    except (KeyError, TypeError):
        return 0
    return next((side for side in range(SIDES) if _listened(HTTP_FDS, side) == listened), 0)


def serves_https(config: Json | None) -> bool:
    """Whether a running configuration listens for HTTPS."""
    return bool(config and config.get("apps", {}).get("http", {}).get("servers", {}).get("https"))


def _listened(descriptors: tuple[int, ...], side: int) -> list[str]:
    return [f"fd/{descriptors[side]}", f"fd/{descriptors[side - 1]}"]


def needs_https(routes: Sequence[AppRoute]) -> bool:
    return any(public_hosts(route) for route in routes)


def _server(home: Home, listened: list[str], apps: Sequence[Json]) -> Json:
    closing: Json = {
        "match": [{"vars": {_file(files.closing_file(home)): [files.ON]}, "not": [{"header": {"Upgrade": ["*"]}}]}],
        "handle": [{"handler": "headers", "response": {"set": {"Connection": ["close"]}}}],
    }
    return {
        "listen": listened,
        "protocols": ["h1"],
        "automatic_https": {"disable": True},
        "read_header_timeout": "10s",
        "idle_timeout": "2m",
        "max_header_bytes": 65_536,
        "routes": [closing, {"handle": _log_fields()}, *apps, {"handle": [page(404, pages.NO_APP)]}],
        "named_routes": named_static_routes() | {"split": _split()},
        "errors": {"routes": _errors()},
        "logs": {"default_logger_name": _ACCESS},
    }


def _errors() -> list[Json]:
    def on(statuses: list[str], text: str) -> Json:
        match = {"vars": {"{http.error.status_code}": statuses}}
        return {"match": [match], "handle": [page("{http.error.status_code}", text)], "terminal": True}

    return [
        on(["502", "503", "504"], pages.NO_ANSWER),
        on(["413"], pages.TOO_LARGE),
        on(["404"], pages.NOT_FOUND),
        {"handle": [page("{http.error.status_code}", pages.ERROR)]},
    ]


def _app(home: Home, route: AppRoute, *, is_secure: bool) -> Json:
    hosts = public_hosts(route) if is_secure else list(route.hosts)
    app = route.app
    routes: list[Json] = [{"handle": [{"handler": "vars", "app": app}]}]
    redirected = public_hosts(route)
    if redirected and not is_secure:
        port = "" if home.https_port == 443 else f":{home.https_port}"
        routes.append(
            {
                "match": [{"host": redirected}],
                "handle": [
                    {
                        "handler": "static_response",
                        "status_code": "308",
                        "headers": {"Location": [f"https://{{http.request.host}}{port}{{http.request.uri}}"]},
                    }
                ],
                "terminal": True,
            }
        )
    routes += [
        *chosen_by_name(home, app),
        _maintenance(home, app),
        _chosen_by_share(home, app),
        *(
            {
                "match": [{"vars": {"slot": [slot.value]}}],
                "handle": [{"handler": "subroute", "routes": _slot(home, route, slot)}],
                "terminal": True,
            }
            for slot in Slot
        ),
    ]
    return {"match": [{"host": hosts}], "handle": [{"handler": "subroute", "routes": routes}], "terminal": True}


def _log_fields() -> list[Json]:
    fields = {
        "app": "{http.vars.app}",
        "slot": "{http.vars.slot}",
        "release": "{http.vars.release}",
        "upstream": "{http.reverse_proxy.upstream.hostport}",
        "upstream_ms": "{http.reverse_proxy.upstream.latency_ms}",
        "retries": "{http.reverse_proxy.retries}",
        "bucket": f"{{http.request.cookie.{BUCKET_COOKIE}}}",
        "agent": "{http.request.header.User-Agent}",
        "probe": f"{{http.request.header.{PROBE_HEADER}}}",
        "share": "{http.vars.share}",
    }
    return [{"handler": "log_append", "key": key, "value": value} for key, value in fields.items()]


def _maintenance(home: Home, app: str) -> Json:
    """The page for visitors. Who names a release passes: warm-up requests, and the team that looks at it."""
    closed: Json = {
        "match": [{"vars": {_file(files.maintenance_file(home, app)): [files.ON]}}],
        "handle": [page(503, pages.MAINTENANCE, {"Retry-After": ["30"]})],
    }
    return {"match": [_unchosen()], "handle": [{"handler": "subroute", "routes": [closed]}]}


def _chosen_by_share(home: Home, app: str) -> Json:
    return {
        "match": [_unchosen()],
        "handle": [
            {"handler": "vars", "share": _file(files.share_file(home, app))},
            {
                "handler": "subroute",
                "routes": [
                    _to(Slot.A, "all", {"vars": {"share": [NOBODY]}}),
                    _to(Slot.B, "all", {"vars": {"share": [EVERYBODY]}}),
                    {"group": "all", "handle": [invoke("split")]},
                ],
            },
        ],
    }


def _split() -> Json:
    """The named route that chooses a slot by the visitor's bucket."""
    cookie = f"{{http.request.cookie.{BUCKET_COOKIE}}}"
    routes: list[Json] = [
        {
            "group": "bucket",
            "match": [{"expression": f"{cookie}.matches('^[0-9a-f]{{4}}$')"}],
            "handle": [{"handler": "vars", "bucket": cookie}],
        },
        {
            "group": "bucket",
            "match": [{"vars_regexp": {"{http.request.uuid}": {"name": "fresh", "pattern": "^([0-9a-f]{4})"}}}],
            "handle": [{"handler": "vars", "bucket": "{http.regexp.fresh.1}", "is_fresh": "1"}],
        },
        _to(Slot.B, "side", {"expression": "{http.vars.bucket} < {http.vars.share}"}),
        _to(Slot.A, "side"),
    ]
    return {"handle": [{"handler": "subroute", "routes": routes}]}


def _to(slot: Slot, group: str, match: Json | None = None) -> Json:
    chosen: Json = {"group": group, "handle": [{"handler": "vars", "slot": slot.value}]}
    return chosen if match is None else chosen | {"match": [match]}


def _unchosen() -> Json:
    return {"vars": {"slot": [""]}}


def _slot(home: Home, route: AppRoute, slot: Slot) -> list[Json]:
    own, other = (str(files.static_link(home, route.app, each)) for each in (slot, slot.other))
    roots = StaticRoots(own=own, other=other, pool=str(files.asset_pool(home, route.app)))
    routes: list[Json] = [
        {"handle": [{"handler": "vars", "release": _file(files.release_file(home, route.app, slot))}]},
        {
            "match": [{"vars": {"is_fresh": ["1"]}, "not": [{"path_regexp": {"pattern": MAYBE_HASHED}}]}],
            "handle": [
                {
                    "handler": "headers",
                    "response": {
                        "add": {"Set-Cookie": [f"{BUCKET_COOKIE}={{http.vars.bucket}}; Path=/; HttpOnly; SameSite=Lax"]}
                    },
                }
            ],
        },
    ]
    if route.static_url:
        routes += static_routes(roots, prefix=route.static_url, spa=route.spa, has_web=route.has_web)
    if not route.has_web:
        return [*routes, *to_site(route.static_url), {"handle": [page(404, pages.NOT_FOUND)]}]
    ports = next((each.ports for each in route.slots if each.slot is slot), ())
    if not ports:
        return [*routes, {"handle": [{"handler": "error", "status_code": "503"}]}]
    handle: list[Json] = []
    if route.body_limit_bytes:
        handle.append({"handler": "request_body", "max_size": route.body_limit_bytes})
    is_spa_below_web = route.spa and route.static_url == "/"
    spa_root = own if is_spa_below_web else ""
    return [
        *routes,
        {
            "match": [{"method": _REPEATABLE}],
            "handle": [*handle, _reverse_proxy(ports, spa_root, _KEPT_OPEN)],
            "terminal": True,
        },
        {"handle": [*handle, _reverse_proxy(ports, spa_root, {"enabled": False})]},
    ]


def _reverse_proxy(ports: Sequence[int], spa_root: str, keep_alive: Json) -> Json:
    proxy: Json = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"127.0.0.1:{port}"} for port in ports],
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            "try_duration": RETRY_FOR,
            "try_interval": "50ms",
            "retry_match": [{"method": _REPEATABLE}],
        },
        "transport": {
            "protocol": "http",
            "dial_timeout": "2s",
            "compression": False,
            "keep_alive": keep_alive,
        },
        "flush_interval": -1,
        "stream_close_delay": STREAM_CLOSE_DELAY,
    }
    if len(ports) > 1:  # one instance alone is waited for instead of being called down
        proxy["health_checks"] = {"passive": {"fail_duration": "1s", "max_fails": 1}}
    if spa_root:
        proxy["handle_response"] = [
            {
                "match": {"status_code": [404, 405]},
                "routes": [
                    spa_fallback(spa_root, but_not=_ASKED_BY_SCRIPTS),
                    {"handle": [{"handler": "copy_response"}]},
                ],
            }
        ]
    return proxy


def _logging(home: Home) -> Json:
    def to_file(name: str, kept: int) -> Json:
        return {
            "output": "file",
            "filename": str(home.proxy / name),
            "mode": "0600",
            "roll_size_mb": _ROLL_MB,
            "roll_keep": kept,
            "roll_gzip": False,
        }

    dropped = ("request>headers", "request>tls", "request>proto", "request>remote_port", "request>remote_ip")
    fields: Json = {name: {"filter": "delete"} for name in (*dropped, "resp_headers", "user_id", "bytes_read")}
    fields["request>uri"] = {"filter": "regexp", "regexp": r"[?].*", "value": ""}
    name = f"http.log.access.{_ACCESS}"
    return {
        "logs": {
            "default": {"writer": to_file("caddy.log", 2), "level": "INFO", "exclude": [name]},
            "access": {
                "writer": to_file("access.log", 3),
                "encoder": {"format": "filter", "wrap": {"format": "json"}, "fields": fields},
                "include": [name],
            },
        }
    }


def _tls(routes: Sequence[AppRoute]) -> Json:
    hosts = [host for route in routes for host in public_hosts(route)]
    internal = [host for route in routes if route.tls == "internal" for host in public_hosts(route)]
    if not hosts:
        return {}
    policies: list[Json] = [{"subjects": internal, "issuers": [{"module": "internal"}]}] if internal else []
    return {"certificates": {"automate": hosts}, "automation": {"policies": policies}}


def _file(path: object) -> str:
    """The placeholder that stands for the content of a file, read at every request."""
    return f"{{file.{path}}}"
