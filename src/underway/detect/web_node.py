"""A Node project → the Node part of the draft."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from underway.detect.api_address import same_origin
from underway.detect.draft import Draft
from underway.detect.frameworks import base_path, routed_health
from underway.detect.health import declared_health, text_health
from underway.detect.index import Index, cwd, join
from underway.detect.laid_out import made_folders, put_by_dockerfile
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.node import FRONT_ENDS, PAGES, SERVERS, NodeProject, accepts_node, output_folder, running
from underway.detect.node_database import migrate_node
from underway.detect.node_listen import listening
from underway.detect.node_needs import fill_needs, load_module, settings_file, stage
from underway.detect.node_scripts import followed, in_earnest
from underway.detect.node_workers import node_workers
from underway.detect.shared import node_shared
from underway.detect.shell import line_of
from underway.detect.starts import Starts
from underway.manifest.build import NodeBuild
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Health, Process, Static

_CODE = (".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx")
_TEXTS = re.compile(r"(?:content|tutorials?|templates?)/")
_PAGES = (".svelte", ".astro")
"""Pages whose scripts also run on the server."""


def draft_node_server(
    index: Index, starts: Starts, project: NodeProject, machine: Machine, draft: Draft, notes: Notes
) -> bool:
    """Fill `draft` with a Node server; return whether it can be started."""
    command, evidence = _command(index, starts, project)
    if not command:
        return False
    name = project.built.name if project.built is not None else SERVERS.get(project.server, "Node")
    notes.claim("stack", f"{name} server", index.line(project.path, f'"{project.server}"'), "processes.web")
    notes.claim("server", f"started by {command}", evidence)
    draft.node = NodeBuild(manager=project.manager, dir=cwd(project.folder), script=_script(project))
    _lines_around(project, draft, notes)
    notes.claim("build", f"packages by {project.manager}", Evidence(project.lock or project.path), "build.node")
    _unlocked(index, project, notes)
    _compiled(index, project, command, evidence, draft, notes)
    if not machine.node_version:
        notes.problem(
            "detect.node-missing",
            project.path,
            "the app needs Node, and this machine has none",
            "install Node" + (f" {project.engines}" if project.engines else ""),
        )
    elif not accepts_node(project.engines, machine.node_version):
        says = f"Node {machine.node_version}, the one here: the project asks for {project.engines}"
        notes.claim("node", says, index.line(project.path, '"engines"'))
    paths = [p for p in index.ending(*_CODE) if not project.folder or p.startswith(project.folder + "/")][:1500]
    if project.built is not None:  # what lies in folders of texts belongs to other apps, which the pages tell of
        paths = [p for p in paths if not _TEXTS.match(p[len(project.folder) :].lstrip("/"))]
    paths = [p for n in ("bin/www", "bin/server") if index.has(p := join(project.folder, n))] + paths
    command = listening(index, paths, project, command, notes)
    draft.processes["web"] = Process(command=command, cwd=cwd(project.folder))
    if project.built is not None:
        draft.env |= {name: EnvVar(value=value) for name, value in project.built.env.items()}
    pages = [p for p in index.ending(*_PAGES) if p.startswith(join(project.folder, "src/"))]
    fill_needs(index, [*paths, *pages[:500]], project, starts, draft, notes)
    migrate_node(index, project, starts, draft, notes)
    node_workers(index, project, starts, draft, notes)
    stage(index, paths, draft, notes)
    settings_file(index, paths, project, draft, notes)
    load_module(draft)
    _development(project, draft, notes)
    node_shared(index, paths, project, draft, notes)
    made_folders(starts, project.folder, draft)
    found = declared_health(starts) or text_health(index, paths) or routed_health(index, project)
    if found is not None:
        draft.health = Health(path=found[0])
        notes.claim("health", f"the app answers {found[0]}", found[1], "health.path")
    else:
        draft.health = Health(path="/", status="below-500")
        notes.claim("health", "no health route was found: any answer of / below 500 counts", key="health.status")
    return True


_LISTENS = re.compile(r"\.listen\(|\bBun\.serve\(")
_SERVES = re.compile(r"(?:npx )?(?:json-server|http-server|serve|live-server)\b")


def draft_plain_server(
    index: Index, starts: Starts, projects: list[NodeProject], machine: Machine, draft: Draft, notes: Notes
) -> bool:
    """Fill `draft` with a server of no framework: `start` runs a file that listens, or a program that serves."""
    for project in projects:
        line = followed(project, project.scripts.get("start", ""))
        files = [word for word in line.split() if re.search(r"\.[cm]?[jt]s$", word)] or [project.main or "server.js"]
        listens = any(_LISTENS.search(index.text(join(project.folder, file))) for file in files)
        if listens or _SERVES.match(line):
            return draft_node_server(index, starts, project, machine, draft, notes)
    return False


def _compiled(index: Index, project: NodeProject, command: str, evidence: Evidence, draft: Draft, notes: Notes) -> None:
    """Compile once what starts compiled where no script of the name `build` does: what the start script does first, or
    what makes the folder that the command runs from."""
    if _builds(project):
        return
    first = _COMPILES.match(project.scripts.get("start", ""))
    runs = f"{command} {project.scripts.get('start', '')}" if command == running(project, "start") else command
    made = re.search(r"(?:^|[ /])((?:dist|build|out|lib)/[\w./-]+)", runs)
    line = first[1].strip() if first else ""
    if not line and made and not _is_in_tree(index, project, made[1]):
        if project.has("@nestjs/cli") and index.has(join(project.folder, "nest-cli.json")):
            line = "nest build"
        elif project.has("typescript") and index.has(join(project.folder, "tsconfig.json")):
            line = "tsc"
    if not line:
        return
    step = f"cd {shlex.quote(project.folder)} && " if project.folder else ""
    draft.commands.append(f"{step}npx --no-install {line}")
    notes.claim("build", f"{line} goes before the start: it is done once", evidence, "build.commands")


def _is_in_tree(index: Index, project: NodeProject, name: str) -> bool:
    path = join(project.folder, name)
    return any(index.has(path + end) for end in ("", ".js", ".cjs", ".mjs", "/index.js"))


def _development(project: NodeProject, draft: Draft, notes: Notes) -> None:
    """Keep the development packages where nothing is built and a command of the app's own needs one of them."""
    if draft.node is None or draft.node.script or draft.commands or not project.dev:
        return
    lines = [process.command for process in draft.processes.values()]
    lines += [draft.migrate.command] if draft.migrate is not None else []
    for line in list(lines):
        lines += [
            project.scripts[name] for name in re.findall(r"npm (?:run )?([\w:.-]+)", line) if name in project.scripts
        ]
    said = " ".join(lines)
    for name in project.dev:
        tool = _TOOLS.get(name, name)
        if re.search(rf"(?<![\w@/-])(?:node_modules/\.bin/|node_modules/|@?\w+/)?{re.escape(tool)}(?![\w-])", said):
            draft.node = replace(draft.node, development=True)
            at = Evidence(project.path)
            notes.claim("build", f"development packages too: {name} is one, and is needed to run", at, "build.node")
            return


_TOOLS = {
    "sequelize-cli": "sequelize-cli",
    "@babel/node": "babel-node",
    "dotenv-cli": "dotenv",
    "@mikro-orm/cli": "mikro-orm",
}


_READY = re.compile(r"(?:start|serve)[:-]prod(?:uction)?|prod|production|serve:ssr(?::[\w-]+)?")
"""Scripts that start what was built for production (`serve:ssr` is Angular's)."""
_COMPILES = re.compile(r"(?:npx )?(tsc(?: (?:-p|--project) [\w./-]+| --build| -b)?)\s*&&\s*(?=node\s)")


def _builds(project: NodeProject) -> bool:
    build = project.scripts.get(project.build, "")
    return bool(build) and not re.match(r"echo\b|exit\b|true$", build)


def _script(project: NodeProject) -> str:
    """The script that the build runs; empty where lines of the draft build it."""
    by_lines = project.built is not None and (project.built.before or project.built.line)
    return project.build if _builds(project) and not by_lines else ""


def _lines_around(project: NodeProject, draft: Draft, notes: Notes) -> None:
    """The lines that a framework is built with in place of its script alone."""
    built = project.built
    if built is None:
        return
    lines = [*built.before]
    if built.before or built.line:
        lines.append(f"NODE_ENV=production {built.line or running(project, project.build)}")
    lines += [built.after] if built.after else []
    draft.commands += [in_folder(project, line) for line in lines]
    if built.says:
        notes.claim("build", built.says, built.at, "build.commands" if built.before else "build.node")


def in_folder(project: NodeProject, line: str) -> str:
    """A line of the build as it is run in the project's folder."""
    return f"cd {shlex.quote(project.folder)} && {line}" if project.folder else line


_RUN_BY_NODE = re.compile(r"(NODE_ENV=\w+\s+)?node\s+[\w./=: -]+")
_SERVER_SCRIPTS = ("server", "start:server", "server:start", "start-server", "serve", "backend", "start:backend", "api")
"""Scripts that start the server where `start` starts a developer's pages."""


def _command(index: Index, starts: Starts, project: NodeProject) -> tuple[str, Evidence]:
    for start in starts.found:
        if start.name in ("web", "app", "api", "server", "node", "backend"):
            for command in start.commands:
                if (
                    command.name in ("node", "bun")
                    and len(command.words) > 1
                    and _is_there(index, project, command.words[-1])
                ):
                    line = line_of(command.words)
                    own = project.built.command if project.built is not None else ""
                    return own if own == line.replace(" ./", " ") else line, command.evidence
    at = index.line(project.path, '"start"')
    start_line = followed(project, project.scripts.get("start", ""))
    if project.built is not None and project.built.command:
        return project.built.command, project.built.at
    if _RUN_BY_NODE.fullmatch(start_line):
        return re.sub(r"^NODE_ENV=\w+\s+", "", start_line), at
    if pm2 := _pm2(index, project, start_line):
        return pm2, at
    if _SERVES.match(start_line):
        return running(project, "start"), at
    if start_line and not re.search(
        r"nx serve|nest start|nodemon|react-scripts|vite(\s|$)|webpack|--watch|ts-node-dev|ng serve", start_line
    ):
        return running(project, "start"), at
    ready = [name for name in project.scripts if _READY.fullmatch(name)]
    for script in ready:
        line = followed(project, project.scripts.get(script, ""))
        if _RUN_BY_NODE.fullmatch(line):
            return re.sub(r"^NODE_ENV=\w+\s+", "", line), index.line(project.path, f'"{script}"')
    if ready:
        return running(project, ready[0]), index.line(project.path, f'"{ready[0]}"')
    if plain := in_earnest(index, project, project.scripts.get("start", "")):
        return plain, at
    if start_line.startswith("nest start") and _builds(project):
        return "node dist/main", at
    for script in _SERVER_SCRIPTS:
        line = followed(project, project.scripts.get(script, ""))
        plain = in_earnest(index, project, line) or (line if _RUN_BY_NODE.fullmatch(line) else "")
        if plain:
            return re.sub(r"^NODE_ENV=\w+\s+", "", plain), index.line(project.path, f'"{script}"')
    candidates = [
        project.main,
        "server.js",
        "index.js",
        "app.js",
        "src/index.js",
        "src/server.js",
        "src/app.js",
        "server.mjs",
        "index.mjs",
    ]
    pages = project.has(*PAGES)  # whose sources are then in src
    for name in [name for name in candidates if not pages or not name.startswith("src/")]:
        if name and re.fullmatch(r"[\w./-]+\.[cm]?js", name) and index.has(join(project.folder, name)):
            return f"node {name.removeprefix('./')}", Evidence(join(project.folder, name))
    for script in ("dev", "start:dev", "develop", "watch"):
        if plain := in_earnest(index, project, project.scripts.get(script, "")):
            return plain, index.line(project.path, f'"{script}"')
    return "", at


def _is_there(index: Index, project: NodeProject, name: str) -> bool:
    """True for a file of the tree, or one that the build makes."""
    made = re.match(r"(\./)?(dist|build|out|lib|\.output)/", name)
    return bool(made) or _is_in_tree(index, project, name)


def _pm2(index: Index, project: NodeProject, line: str) -> str:
    """What `pm2 start ecosystem.config.json` runs, since one supervisor is enough."""
    found = re.match(r"pm2(?:-runtime)?\s+(?:start\s+)?([\w./-]+\.(?:json|[cm]?js))", line)
    if not found:
        return ""
    script = re.search(
        r"""['"]?script['"]?\s*:\s*['"]([\w./-]+\.[cm]?js)['"]""", index.text(join(project.folder, found[1]))
    )
    named = script[1] if script else found[1]
    return f"node {named.removeprefix('./')}" if named.endswith("js") and _is_there(index, project, named) else ""


def draft_front_end(
    index: Index,
    starts: Starts,
    project: NodeProject,
    machine: Machine,
    draft: Draft,
    notes: Notes,
    *,
    is_alone: bool,
) -> None:
    """Fill `draft` with a front end that is built into static files."""
    folder, evidence, spa = output_folder(index, project)
    kind = next((n for n in ("astro", "react-scripts", "@angular/cli", "vite", "next", "gatsby") if project.has(n)), "")
    kind = (project.built.name if project.built else "") or kind or next(n for n in FRONT_ENDS if project.has(n))
    notes.claim("stack" if is_alone else "static", f"a front end built by {kind}", evidence, "static")
    build = NodeBuild(manager=project.manager, dir=cwd(project.folder), script=_script(project))
    key = "build.node" if draft.node is None else "build.front_end"
    notes.claim("build", f"packages by {project.manager}", Evidence(project.lock or project.path), key)
    if draft.node is None:
        draft.node = build
    else:
        draft.front_end = build
    _lines_around(project, draft, notes)
    if not is_alone:
        same_origin(index, project, folder, draft, notes)
    if not is_alone and (put := put_by_dockerfile(starts, project.folder, folder)):
        draft.commands.append(put[0])
        notes.claim("static", "put where the server serves it, as the Dockerfile does", put[1], "build.commands")
        return
    if served := None if is_alone else _served_by(index, project, folder):
        notes.claim("static", f"the server itself serves {folder}", served)
        return
    draft.static = Static(dir=folder, url="/", spa=spa)
    if is_alone and (below := base_path(index, project)) is not None:
        draft.static = Static(dir=folder, url=below[0], spa=spa)
        notes.claim("static", f"its pages look for their files below {below[0]}: / leads there", below[1], "static")
    if not project.lock:
        _unlocked(index, project, notes)
    if not machine.node_version:
        notes.problem(
            "detect.node-missing",
            project.path,
            "the front end is built by Node, and this machine has none",
            "install Node",
        )


_SERVES_FILES = re.compile(
    r"\bstatic\(|serve-?static|\bsendFile\b|\bkoa-(?:static|send)\b|\bsirv\(|ViteExpress|vite-express"
)


def pages_of_server(index: Index, project: NodeProject, draft: Draft, notes: Notes) -> None:
    """Let the proxy serve the pages that the server's own package builds, where no source of the server does."""
    if (
        not project.has(*PAGES)
        or not _builds(project)
        or not any(index.has(join(project.folder, page)) for page in ("index.html", "public/index.html"))
    ):
        return
    folder, evidence, spa = output_folder(index, project)
    lead = f"{project.folder}/" if project.folder else ""
    sources = [p for p in index.ending(".js", ".mjs", ".cjs", ".ts", ".mts") if p.startswith(lead)][:1500]
    if not any(_SERVES_FILES.search(index.text(path)) for path in sources):
        draft.static = Static(dir=folder, url="/", spa=spa)
        notes.claim(
            "static", f"the pages built into {folder}, which no source of the server serves", evidence, "static"
        )
        same_origin(index, project, folder, draft, notes)


def _served_by(index: Index, project: NodeProject, folder: str) -> Evidence | None:
    """Where a source of the server names the folder that the front end is built into."""
    last = "/".join(folder.split("/")[-2:])
    for path in index.ending(".js", ".ts", ".mjs", ".cjs"):
        if not path.startswith(f"{project.folder}/") and "static" in (text := index.text(path)):
            parts = rf"{re.escape(project.folder)}['\"]\s*,\s*['\"]{re.escape(folder.rpartition('/')[2])}"
            found = re.search(rf"{re.escape(last)}\b|{parts}\b", text)
            if found:
                return Evidence.at(path, text, found.start())
    return None


def _unlocked(index: Index, project: NodeProject, notes: Notes) -> None:
    if not project.lock and (project.dependencies or project.dev):
        day = f'; where today\'s break it, set as_of = "{index.tree.day}", the day of the commit'
        says = "no lockfile: the versions are those that package.json accepts" + (day if index.tree.day else "")
        notes.claim("build", says, Evidence(project.path), "build.node")
