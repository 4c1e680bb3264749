"""The pages the proxy writes itself. Styles are inline: a brace would be read as a placeholder."""

from __future__ import annotations

_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8">'
    '<meta name="viewport" content="width=device-width"><title>{title}</title>'
    '<body style="margin:18vh auto;max-width:34rem;padding:0 1.5rem;font:1.05rem/1.6 system-ui,sans-serif;'
    'color:#223;background:#fafafa"><h1 style="font-size:1.5rem;font-weight:600">{title}</h1><p>{text}</p>'
)
HEADERS = {
    "Content-Type": ["text/html; charset=utf-8"],
    "Cache-Control": ["no-store"],
    "X-Content-Type-Options": ["nosniff"],
}


def _page(title: str, text: str) -> str:
    return _PAGE.format(title=title, text=text)


MAINTENANCE = _page("Back in a moment", "This site is being worked on. Please try again in a minute.")
NO_APP = _page("No app here", "Nothing is deployed under this address.")
NOT_FOUND = _page("Not found", "There is no such page here.")
NO_SUCH_RELEASE = _page("No such release", "The release this request asks for is not on a slot.")
NO_ANSWER = _page("No answer", "The app did not answer. It may be starting; please try again in a moment.")
TOO_LARGE = _page("Too large", "What was sent is larger than this app accepts.")
ERROR = _page("Error {{http.error.status_code}}", "{{http.error.status_text}}").replace("{{", "{").replace("}}", "}")
