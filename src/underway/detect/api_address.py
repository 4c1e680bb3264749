"""The addresses by which a front end calls its API: they become those of the page itself, since both share an origin.

What a build bakes in is no address of one host: it gets `PAGE_HOST`, and `ORIGIN_MODULE` puts `location.origin` in its
place in what was built. So it is a whole address wherever the code needs one, under whatever name the app is reached.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from underway.detect.draft import Draft
from underway.detect.env_names import is_third_party
from underway.detect.index import Index, cwd, join
from underway.detect.model import Evidence, Notes
from underway.detect.node import NodeProject, running
from underway.manifest.build import ORIGIN_MODULE, PAGE_HOST, NodeBuild

_CODE = (".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx", ".vue", ".svelte", ".astro")
_WRITTEN = (*_CODE, ".html", ".json")
_ASIDE = re.compile(
    r"\.config\.|\.(?:test|spec|stories|mock)\.|setupProxy|(?:^|/)(?:package(?:-lock)?|tsconfig[\w.]*|manifest)\.json$|"
    r"(?:^|/)(?:mocks?|__mocks__|cypress|playwright|\.storybook|\.vscode|scripts)/"
)
_PREFIX = r"(?:VITE|REACT_APP|VUE_APP|NEXT_PUBLIC|PUBLIC|GATSBY|NUXT|NG_APP|SNOWPACK_PUBLIC)_\w+"
_READ = re.compile(rf"\benv\??\.({_PREFIX})\b|\benv\[\s*['\"]({_PREFIX})['\"]|\bprocess\.env\.([A-Z]\w+)")
_IMPORTED = re.compile(r"import\s*\{([^}]{1,2000})\}\s*from\s*['\"]\$env/(?:static|dynamic)/public['\"]")
_MEANS_API = re.compile(
    r"(?=.*(?:API|BACKEND|SERVER))(?:.*(?:URL|URI|HOST|BASE|ORIGIN|ENDPOINT|ROOT|ADDRESS|DOMAIN)|.*_(?:API|BACKEND|SERVER)$)"
)
_NO_ADDRESS = re.compile(r"KEY|TOKEN|SECRET|_ID$|VERSION|PREFIX|PORT$|TIMEOUT|MOCK|_PATH$|NAME$|MODE$|ENABLE|DEBUG")
_PLAIN = re.compile(
    r"(?:VITE|REACT|APP|VUE|NEXT|PUBLIC|GATSBY|NUXT|NG|SNOWPACK|API|BACKEND|SERVER|BASE|URL|URI|HOST|ORIGIN|ENDPOINT|"
    r"ROOT|REST|HTTPS?|WS|WSS|SOCKET|WEBSOCKET|PROD|PRODUCTION|DEV|LOCAL|V\d|ADDRESS|DOMAIN|SERVICE|MAIN|WEB|_)+"
)
"""Names of the one API; `VITE_WEATHER_API_URL` may be somebody else's."""
_OWN_HOST = re.compile(
    r"(?:localhost|127\.0\.0\.1|0\.0\.0\.0|[\w-]+|\$\{?\w+\}?|[\w.-]*(?:example|your|domain|herokuapp|onrender|railway|fly\.dev|"
    r"vercel|netlify|pythonanywhere|ngrok|azurewebsites|run\.app|amazonaws|koyeb)[\w.-]*)(?::[\w${}]+)?",
    re.IGNORECASE,
)
"""Hosts under which the repository's own API is meant: this machine, a container, a placeholder, a hosting company."""
_LOADED = (".env.production", ".env.prod", ".env")
_SHOWN = (
    ".env.production.example", ".env.example", ".env.sample", ".env.template", ".env-example", "env.example",
    ".env.development", ".env.local.example", ".env.local", ".env.dev", ".env.docker",
)  # fmt: skip
_ADDRESS = re.compile(r"(https?|wss?)://([^/\s\"'`?#]+)(/[\w./~-]*)?(?![\w./~-])")
_LOCAL = re.compile(r"\b(?:https?|wss?)://((?:localhost|127\.0\.0\.1|0\.0\.0\.0):\d{2,5})(?!\d)")
_MOST = 8
_MOST_SERVERS = 300


def same_origin(index: Index, project: NodeProject, folder: str, draft: Draft, notes: Notes) -> None:
    """Let the front end that is built into `folder` call the API where the page itself came from."""
    if draft.node is None:
        return
    baked = _baked(index, project)
    written = _written(index, project)
    if baked:
        front = draft.front_end or draft.node
        unbuilt = NodeBuild(manager=front.manager, dir=front.dir)
        draft.node, draft.front_end = (unbuilt, None) if draft.front_end is None else (draft.node, unbuilt)
        step = f"cd {shlex.quote(project.folder)} && " if project.folder else ""
        values = " ".join(f"{name}={shlex.quote(value)}" for name, (value, _) in baked.items())
        draft.commands.append(f"{step}{values} {running(project, project.build)}")
        for name, (value, at) in baked.items():
            path = value.partition(PAGE_HOST)[2] if PAGE_HOST in value else value
            notes.claim("static", f"{name} is baked in: the page's own address{_below(path)}", at, "build.commands")
    for host, at in written.items():
        says = f"the pages call {host}, the visitor's own machine: the page's own address is put in its place"
        notes.claim("static", says, at, "build.commands")
    if written or any(PAGE_HOST in value for value, _ in baked.values()):
        module = join(draft.node.dir, ORIGIN_MODULE)
        draft.commands.append(" ".join(["node", shlex.quote(module), shlex.quote(cwd(folder)), *written]))


def _below(path: str) -> str:
    return f", {path}" if path.strip("/") else ""


def _baked(index: Index, project: NodeProject) -> dict[str, tuple[str, Evidence]]:
    """By variable: what the build is given, and where it is read."""
    found: dict[str, Evidence] = {}
    for path, text in _sources(index, project, _CODE):
        for each in _READ.finditer(text):
            name = each[1] or each[2] or each[3]
            found.setdefault(name, Evidence.at(path, text, each.start()))
        for each in _IMPORTED.finditer(text):
            for name in re.findall(r"\bPUBLIC_\w+", each[1]):
                found.setdefault(name, Evidence.at(path, text, each.start()))
    out: dict[str, tuple[str, Evidence]] = {}
    for name, at in sorted(found.items()):
        if _NO_ADDRESS.search(name):
            continue
        is_meant = bool(_MEANS_API.match(name)) and not is_third_party(name)
        values = list(_said(index, project, name, at)) if is_meant or re.fullmatch(_PREFIX, name) else []
        value = _value(name, values, is_meant=is_meant)
        if value == f"http://{PAGE_HOST}" and not values:
            value += _below_what(index, project)
        if value is not None and len(out) < _MOST:
            out[name] = (value, at)
    return out


def _value(name: str, values: list[tuple[str, bool]], *, is_meant: bool) -> str | None:
    """What to bake in, None to leave it alone. `values` are the repository's own, and whether the build reads them."""
    for value, is_read in values:
        if value.startswith("/"):
            return None if is_read else value
        found = _ADDRESS.match(value)
        if found is None:
            continue
        is_own = bool(_OWN_HOST.fullmatch(found[2])) if not is_meant or not _PLAIN.fullmatch(name) else True
        is_local = bool(_LOCAL.match(value))
        if is_own and (is_meant or is_local):
            return f"{'ws' if found[1].startswith('ws') else 'http'}://{PAGE_HOST}{found[3] or ''}"
        return None
    bare = next((v for v, _ in values if re.fullmatch(r"(?:localhost|127\.0\.0\.1|[\w-]+)(?::\d+)?", v)), "")
    if not is_meant or not (values or _PLAIN.fullmatch(name)) or (bare and not re.match(r"localhost|127", bare)):
        return None
    return PAGE_HOST if bare else f"http://{PAGE_HOST}"


_PREFIXED = re.compile(
    r"""(?:\bpath\(|prefix\s*=|setGlobalPrefix\(|\buse\(|api_prefix\w*\s*[:=]|API_V1_STR\s*:\s*str\s*=)\s*['"]/?(api(?:/v\d+)?)/?['"]""",
    re.IGNORECASE,
)


def _below_what(index: Index, project: NodeProject) -> str:
    """The path that the server has its API under, where the pages name it nowhere and so must be told it."""
    if any(re.search(r"['\"`/}]api/", text) for _, text in _sources(index, project, _CODE)):
        return ""
    lead = f"{project.folder}/"
    servers = [path for path in index.ending(".py", ".ts", ".js") if not path.startswith(lead)][:_MOST_SERVERS]
    for path in servers:
        text = index.text(path)
        if re.search(r"['\"/]api\b", text) and (found := _PREFIXED.search(text)):
            return f"/{found[1]}"
    return ""


def _said(index: Index, project: NodeProject, name: str, at: Evidence) -> Iterator[tuple[str, bool]]:
    """What the repository gives the variable, likeliest for production first, and whether the build sees it itself."""
    line = re.compile(rf"^[ \t]*(?:export[ \t]+)?{re.escape(name)}[ \t]*=[ \t]*[\"']?([^\s\"'#]+)", re.MULTILINE)
    for file in _LOADED:
        if found := line.search(index.text(join(project.folder, file))):
            yield found[1], True
    beside = [*index.matching(r"dockerfile[\w.-]*|[\w-]+\.dockerfile|(?:docker-)?compose[\w.-]*\.ya?ml")[:12]]
    near = re.compile(
        rf"\b{re.escape(name)}[\"']?\s*[:=]\s*[\"']?(?:\$\{{\w+:-)?((?:https?|wss?)://[^\s\"'`,;)}}]+|/[\w./-]+)"
    )
    for path in beside:
        if found := near.search(index.text(path)):
            yield found[1], False
    default = re.compile(
        rf"\b{re.escape(name)}[\"'\]]*\s*(?:\|\||\?\?|:)\s*[\"'`]((?:https?|wss?)://[^\s\"'`]+|/[\w./-]*)[\"'`]"
    )
    if found := default.search(index.text(at.path)):
        yield found[1], found[1].startswith("/")
    examples = [join(project.folder, file) for file in _SHOWN]
    for path in [*examples, *index.named(*_SHOWN, *_LOADED)[:10]]:
        if found := line.search(index.text(path)):
            yield found[1], False
    for path in index.named("README.md")[:4]:
        if found := near.search(index.text(path)):
            yield found[1], False


def _written(index: Index, project: NodeProject) -> dict[str, Evidence]:
    """Hosts of the developer's own machine that the pages name, each with where."""
    out: dict[str, Evidence] = {}
    for path, text in _sources(index, project, _WRITTEN):
        for found in _LOCAL.finditer(text):
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()].lstrip()
            if len(out) < _MOST and not line.startswith(("//", "*", "/*", "#", "<!--")):
                out.setdefault(found[1], Evidence.at(path, text, found.start()))
    return out


def _sources(index: Index, project: NodeProject, ends: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """The texts of the pages: no tests, no settings of tools."""
    lead = f"{project.folder}/" if project.folder else ""
    for path in index.ending(*ends):
        if path.startswith(lead) and not _ASIDE.search(path[len(lead) :]):
            text = index.text(path)
            if len(text) < 300_000:
                yield path, text
