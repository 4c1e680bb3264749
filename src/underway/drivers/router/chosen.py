"""How somebody asks for a release by name: a header, a cookie, and the link that gives the cookie.

A name is a release's id, or `candidate` for the one that is on its way. Every value that a client sends is compared,
never expanded: what is answered comes from our own files.
"""

from __future__ import annotations

from collections.abc import Sequence

from underway.drivers.router import files, pages
from underway.drivers.router.static import Json, page
from underway.terms.home import Home
from underway.terms.release import Slot

RELEASE_HEADER = "X-Underway-Release"
"""A request with a release's id in it goes to that release, whatever the split is."""
RELEASE_NAME = "underway_release"
"""The cookie, and the query of the link that gives it."""
CANDIDATE = "candidate"
OFF = "off"
_UNCHOSEN: Json = {"vars": {"slot": [""]}}


def chosen_by_name(home: Home, app: str) -> list[Json]:
    """Routes that set the slot for who names a release, and answer the link. Who names none is passed by."""
    return [*_links(home, app), _by_header(home, app), _by_cookie(home, app)]


def _by_header(home: Home, app: str) -> Json:
    wanted = f"{{http.request.header.{RELEASE_HEADER}}}"
    return {
        "match": [{"header_regexp": {RELEASE_HEADER: {"pattern": "."}}}],
        "handle": [
            {
                "handler": "subroute",
                "routes": [
                    *(_to(slot, {"vars": {wanted: [_release(home, app, slot)]}}) for slot in Slot),
                    *(
                        _to(slot, {"header": {RELEASE_HEADER: [CANDIDATE]}, **_is_candidate(home, app, slot)})
                        for slot in Slot
                    ),
                    {"match": [_UNCHOSEN], "handle": [page(421, pages.NO_SUCH_RELEASE)], "terminal": True},
                ],
            }
        ],
    }


def _by_cookie(home: Home, app: str) -> Json:
    """The cookie of a release that runs no more is as good as none: a person has it for weeks."""
    kept = f"{{http.request.cookie.{RELEASE_NAME}}}"
    return {
        "match": [{**_UNCHOSEN, "header_regexp": {"Cookie": {"pattern": f"{RELEASE_NAME}=[0-9a-z]"}}}],
        "handle": [
            {
                "handler": "subroute",
                "routes": [_to(slot, {"vars": {kept: [_release(home, app, slot)]}}) for slot in Slot],
            }
        ],
    }


def _links(home: Home, app: str) -> Sequence[Json]:
    def link(name: str, cookie: str, also: Json) -> Json:
        headers = {"Location": ["/"], "Set-Cookie": [cookie], "Cache-Control": ["no-store"]}
        return {
            "match": [{"method": ["GET"], "query": {RELEASE_NAME: [name]}, **also}],
            "handle": [{"handler": "static_response", "status_code": "302", "headers": headers}],
            "terminal": True,
        }

    kept = "Path=/; HttpOnly; SameSite=Lax"
    return [
        *(
            link(CANDIDATE, f"{RELEASE_NAME}={_release(home, app, slot)}; {kept}", _is_candidate(home, app, slot))
            for slot in Slot
        ),
        link(OFF, f"{RELEASE_NAME}=; Max-Age=0; {kept}", {}),
    ]


def _is_candidate(home: Home, app: str, slot: Slot) -> Json:
    return {"vars": {f"{{file.{files.candidate_file(home, app)}}}": [slot.value]}}


def _release(home: Home, app: str, slot: Slot) -> str:
    return f"{{file.{files.release_file(home, app, slot)}}}"


def _to(slot: Slot, match: Json) -> Json:
    return {"match": [match], "handle": [{"handler": "vars", "slot": slot.value}]}
