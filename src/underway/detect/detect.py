"""A repository → what it is, the evidence, and a draft of its manifest."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from types import MappingProxyType

from underway.detect.assets import draft_assets, is_for_templates
from underway.detect.draft import Draft
from underway.detect.frameworks import built_by
from underway.detect.index import Index, by_depth, cwd, folder_of, join
from underway.detect.model import Detection, Evidence, Machine, Notes
from underway.detect.node import PAGES, SERVERS, NodeProject, find_node_projects
from underway.detect.other_stacks import no_app, other_stack, server_beside
from underway.detect.python_project import PythonProject, find_python_projects
from underway.detect.python_site import draft_python_site
from underway.detect.services import foreign_services
from underway.detect.several import refuse_several
from underway.detect.shared import declared_shared
from underway.detect.sql_tables import tables_from_sql
from underway.detect.starts import Starts, read_starts
from underway.detect.web_node import draft_front_end, draft_node_server, draft_plain_server, pages_of_server
from underway.detect.web_python import draft_python
from underway.manifest.model import Static
from underway.terms.tree import Tree


def detect(tree: Tree, *, machine: Machine) -> Detection:
    """What `tree` is. Reads its texts and runs nothing; same tree and machine, same answer.

    Every claim has its evidence. Without anything to run or serve the draft is None and a problem says what was
    looked for.
    """
    index = Index(tree)
    notes = Notes()
    starts = read_starts(index)
    python = find_python_projects(index)
    node = find_node_projects(index)
    for project in node:
        project.built = built_by(index, project)
    draft = Draft(app=app_name(tree.name, python, node))
    is_found = _draft(index, starts, python, node, machine, draft, notes)
    is_found = is_found and bool(draft.processes or draft.static or not notes.problems)
    if not is_found:
        if not notes.problems:
            _nothing_found(index, notes)
        return Detection(claims=tuple(notes.claims), problems=tuple(notes.problems))
    _port_for_all(draft, notes)
    foreign_services(starts, notes)
    tables_from_sql(index, starts, draft, notes)
    if draft.processes:
        declared_shared(index, starts, draft, notes)
    return Detection(
        claims=tuple(notes.claims),
        manifest=draft.manifest(),
        comments=MappingProxyType(dict(notes.comments)),
        problems=tuple(notes.problems),
        reads=tuple(draft.reads),
    )


def _port_for_all(draft: Draft, notes: Notes) -> None:
    """Where the settings fail without PORT, whatever reads them is given one, not only what listens."""
    if not draft.port_at:
        return
    if draft.migrate is not None:
        draft.migrate = replace(draft.migrate, command=_with_port(draft.migrate.command))
        notes.claim("env", "PORT is required by the settings: the migration has one too", draft.port_at)
    for name, process in draft.processes.items():
        if name != "web":
            draft.processes[name] = replace(process, command=_with_port(process.command))


def _with_port(command: str) -> str:
    return f"PORT=8000 {command}" if not re.search(r"&&|;|\|", command) else f"export PORT=8000; {command}"


def _draft(
    index: Index,
    starts: Starts,
    python: list[PythonProject],
    node: list[NodeProject],
    machine: Machine,
    draft: Draft,
    notes: Notes,
) -> bool:
    if draft_python(index, starts, python, machine, draft, notes):
        pages = [each for each in node if not is_for_templates(index, python, each)]
        _add_front_end(index, starts, pages, machine, draft, notes)
        if draft.node is None:
            draft_assets(index, starts, node, machine, draft, notes)
        return True
    servers = [p for p in node if p.server]
    if servers and refuse_several(
        index, servers[0].folder, (p.folder for p in servers), notes, is_declared=bool(starts.found)
    ):
        return False
    for project in servers:
        if draft_node_server(index, starts, project, machine, draft, notes):
            is_whole = project.built is not None  # it makes the pages itself: another front end is another app
            others = [] if is_whole else [p for p in node if p is not project]
            front = [p for p in others if (p.is_front_end and not p.server) or _rendered_by(p)]
            if front:
                _add_front_end(index, starts, front, machine, draft, notes)
            if draft.static is None and not is_whole:
                pages_of_server(index, project, draft, notes)
            return True
    if servers:
        notes.problem(
            "detect.no-start",
            index.line(servers[0].path, f'"{servers[0].server}"'),
            f"a server with {servers[0].server} is here, and nothing says how it starts: no Procfile, no start script "
            "for production, no main file",
            'add to underway.toml: [processes.web] command = "node dist/main.js"',
        )
        return False
    if other_stack(index, notes):
        return False
    front_ends = [p for p in node if p.is_front_end]
    if front_ends and refuse_several(
        index, front_ends[0].folder, _pages_apart(index, front_ends), notes, is_declared=bool(starts.found)
    ):
        return False
    is_made = any(index.has(f"{folder}/index.html") for folder in ("dist", "build", "_site"))
    if front_ends and front_ends[0].folder and is_made and _static_folder(index, draft, notes):
        return True  # the root keeps what its own tool has built; the front end below it is a part or an example
    if front_ends:
        if _is_for_another_host(front_ends[0], notes) or _is_beside_another_stack(index, front_ends[0], notes):
            return False
        draft_front_end(index, starts, front_ends[0], machine, draft, notes, is_alone=True)
        return True
    if draft_plain_server(index, starts, node, machine, draft, notes) or draft_python_site(index, python, draft, notes):
        return True
    return _static_folder(index, draft, notes)


def _is_beside_another_stack(index: Index, pages: NodeProject, notes: Notes) -> bool:
    """Pages whose server is of a kind that is neither installed nor built here: say so before they are up alone."""
    beside = server_beside(index, pages.folder)
    if beside is None:
        return False
    kind, at = beside
    if not pages.folder:
        notes.claim("stack", f"not deployed: {kind}, which Underway neither installs nor builds by itself", at)
        return False
    notes.problem(
        "detect.other-stack",
        at,
        f"beside the pages in {pages.folder} there is {kind}, and Underway installs and builds Python, Node and plain "
        "pages by itself",
        "deploy the pages alone with this command; or, where the tools of both are installed, write an underway.toml "
        "that builds both ([build] commands) and starts the server ([processes.web] command)",
        f"underway deploy {shlex.quote(pages.folder)}",
    )
    return True


def _is_for_another_host(project: NodeProject, notes: Notes) -> bool:
    """A framework that builds for one kind of host alone, which is not this one: say which."""
    if project.built is None or not project.built.problem:
        return False
    notes.problem("detect.adapter", project.built.at, project.built.problem, *project.built.remedy)
    return True


def _add_front_end(
    index: Index, starts: Starts, node: list[NodeProject], machine: Machine, draft: Draft, notes: Notes
) -> None:
    """A front end beside an API: a folder of its own, no server of its own, a page to serve."""
    gathered = draft.static
    if gathered is not None and gathered.url == "/":
        return
    web = draft.processes.get("web")
    has_root = web is None or web.cwd == "." or (draft.node is not None and draft.node.dir == ".")
    for project in node:
        rendered_by = _rendered_by(project)
        if project.build and rendered_by and web is not None and project.folder:
            says = f"not deployed: {project.folder} is a {rendered_by} server of its own, and an app has one"
            at = index.line(project.path, f'"{project.server}"')
            notes.claim("stack", f"{says}: deploy it as an app beside this one", at)
            continue
        if not project.is_front_end or project.server or not _has_page(index, project):
            continue
        if project.folder == "" and (has_root or not project.has(*PAGES)):
            continue
        if draft.node is not None and (cwd(project.folder) == draft.node.dir or project.folder in _NOT_SERVED):
            continue
        draft_front_end(index, starts, project, machine, draft, notes, is_alone=False)
        if gathered is not None and draft.static is not None and draft.static is not gathered:
            _beside_gathered(gathered, draft.static, draft, notes)
        return
    if gathered is None and (draft.node is None or draft.node.dir != "."):
        _plain_front_end(index, draft, notes)


def _beside_gathered(gathered: Static, pages: Static, draft: Draft, notes: Notes) -> None:
    """The proxy serves one folder: what collectstatic gathered goes where its addresses lie in the front end's."""
    folder = join(pages.dir, gathered.url.strip("/"))
    draft.commands.append(
        f"mkdir -p {shlex.quote(folder)} && cp -R {shlex.quote(gathered.dir)}/. {shlex.quote(folder)}"
    )
    notes.claim("static", f"{gathered.dir} is put into {folder}, beside the front end", key="build.commands")


_RENDERS = ("next", "nuxt", "@remix-run/serve", "@react-router/serve", "@sveltejs/adapter-node", "@astrojs/node")


def _rendered_by(project: NodeProject) -> str:
    """What makes a front end a server: its framework by what that builds, or by name where the project starts it with a
    line of its own; empty where it is none."""
    if project.built is not None:
        return project.built.name if project.built.command else ""
    return SERVERS[project.server] if project.server in _RENDERS else ""


_NOT_SERVED = ("docs", "doc", "website", "documentation", "landing", "mobile", "e2e")
"""Folders of a repository whose pages belong to no product: its documentation, or another product."""


def _has_page(index: Index, project: NodeProject) -> bool:
    pages = ("index.html", "public/index.html", "src/index.html")
    is_there = any(index.has(join(project.folder, page)) for page in pages)
    return is_there or (project.built is not None and bool(project.built.folder))


def _plain_front_end(index: Index, draft: Draft, notes: Notes) -> None:
    """Pages beside an API that no source of it names: nobody else would serve them."""
    for folder in ("frontend", "front-end", "client", "web", "www", "public", "ui"):
        page = f"{folder}/index.html"
        if not index.has(page) or index.has(f"{folder}/package.json") or _is_template(index, page):
            continue
        sources = [p for p in index.ending(".py", ".js", ".ts") if not p.startswith(f"{folder}/")][:2000]
        if not any(re.search(rf"""['"`/]{folder}['"`/]""", index.text(path)) for path in sources):
            draft.static = Static(dir=folder, url="/")
            notes.claim("static", f"the pages in {folder} are served beside the app", Evidence(page), "static")
            return


_STATIC_FOLDERS = ("", "dist", "public", "build", "site", "_site", "www", "static", "web", "html", "src", "app", "docs")


def _pages_apart(index: Index, front_ends: list[NodeProject]) -> set[str]:
    """Folders of front ends, and of pages that no front end holds."""
    folders = {p.folder for p in front_ends}
    pages = {folder_of(p) for p in index.named("index.html")}
    inside = tuple(f"{f}/" for f in folders if f)
    return folders if "" in folders else folders | {p for p in pages if not f"{p}/".startswith(inside)}


def _static_folder(index: Index, draft: Draft, notes: Notes) -> bool:
    pages = {folder_of(p): p for p in by_depth(index.named("index.html")) if not _is_template(index, p)}
    folder = next((f for f in _STATIC_FOLDERS if f in pages), None)
    if folder is None and pages:
        folder = next(iter(pages))
        if folder.count("/") > 1 or find_python_projects(index):
            return False
    if folder is None:
        return False
    if folder not in _STATIC_FOLDERS and refuse_several(index, folder, pages, notes, is_declared=False):
        return False
    draft.static = Static(dir=folder or ".")
    notes.claim("stack", "a folder of static files", Evidence(pages[folder]), "static")
    return True


def _is_template(index: Index, path: str) -> bool:
    """True for a page that a program fills in first."""
    return bool(re.search(r"\{%|\{\{|<%|\{#|%PUBLIC_URL%", index.text(path)))


def _nothing_found(index: Index, notes: Notes) -> None:
    notes.problem(
        "detect.no-app",
        f"{index.tree.name or '.'} ({len(index.tree.paths)} files)",
        no_app(index),
        "deploy the folder that holds the app, or write underway.toml with [processes.web] or [static]",
        "underway deploy PATH/TO/THE/APP",
    )


def app_name(folder: str, python: list[PythonProject], node: list[NodeProject]) -> str:
    """The folder's name as an app's name; a project's own name where the folder's says nothing."""
    names = [folder, *(p.title for p in python), *(p.name.rpartition("/")[2] for p in node), "app"]
    dull = {"app", "src", "repo", "code", "main", "work", "project", "backend", "web", "tmp", "checkout"}
    made = [clean for name in names if (clean := _as_app_name(name))]
    return next((n for n in made if n not in dull), made[0])


def _as_app_name(name: str) -> str:
    clean = re.sub(r"[^a-z0-9]+", "-", name.lower()[:200]).strip("-")
    if clean.isdigit():
        clean = f"app-{clean}"
    return re.sub(r"^[^a-z]+", "", clean)[:40].strip("-")
