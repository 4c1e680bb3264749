"""A Node project → the Node part of the draft."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace

from underway.detect.api_address import same_origin
from underway.detect.draft import Draft
from underway.detect.health import declared_health, text_health
from underway.detect.index import Index, cwd, folder_of, join
from underway.detect.laid_out import made_folders, put_by_dockerfile
from underway.detect.model import Evidence, Machine, Notes
from underway.detect.node import SERVERS, NodeProject, accepts_node, output_folder, running
from underway.detect.node_database import migrate_node
from underway.detect.node_listen import listening
from underway.detect.node_needs import fill_needs, load_module, settings_file, stage
from underway.detect.node_scripts import followed, in_earnest
from underway.detect.node_workers import node_workers
from underway.detect.shared import node_shared
from underway.detect.starts import Starts
from underway.manifest.model import EnvVar, Health, NodeBuild, Process, Static

_CODE = (".js", ".mjs", ".cjs", ".ts", ".mts", ".tsx", ".jsx")
_SVELTE = "@sveltejs/adapter-node"


def draft_node_server(
    index: Index, starts: Starts, project: NodeProject, machine: Machine, draft: Draft, notes: Notes
) -> bool:
    """Fill `draft` with a Node server; return whether it can be started."""
    command, evidence = _command(index, starts, project)
    if not command:
        return False
    name = SERVERS.get(project.server, "Node")
    notes.claim("stack", f"{name} server", index.line(project.path, f'"{project.server}"'), "processes.web")
    notes.claim("server", f"started by {command}", evidence)
    draft.node = NodeBuild(manager=project.manager, dir=cwd(project.folder), script="build" if _builds(project) else "")
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
    paths = [p for n in ("bin/www", "bin/server") if index.has(p := join(project.folder, n))] + paths
    command = listening(index, paths, project, command, notes)
    draft.processes["web"] = Process(command=command, cwd=cwd(project.folder))
    if project.server == _SVELTE:  # kit.svelte.dev/docs/adapter-node: forms are refused without the origin
        draft.env["HOST"] = EnvVar(value="127.0.0.1")
        draft.env["ORIGIN"] = EnvVar(value="${url}")
    if "standalone/server.js" in command and project.server == "next":
        step = f"cd {shlex.quote(project.folder)} && " if project.folder else ""
        to = ".next/standalone"  # the server serves both, and the build leaves the copying to others
        draft.commands.append(f"{step}cp -r .next/static {to}/.next/ && if [ -d public ]; then cp -r public {to}/; fi")
    if project.server in ("next", "nuxt"):
        draft.env["HOSTNAME"] = EnvVar(value="127.0.0.1")
    fill_needs(index, paths, project, starts, draft, notes)
    migrate_node(index, project, starts, draft, notes)
    node_workers(index, project, starts, draft, notes)
    stage(index, paths, draft, notes)
    settings_file(index, paths, project, draft, notes)
    load_module(draft)
    _development(project, draft, notes)
    node_shared(index, paths, project, draft, notes)
    made_folders(starts, project.folder, draft)
    found = declared_health(starts) or text_health(index, paths)
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
    made = re.search(r"(?:^|[ /])((?:dist|build|out|lib)/[\w./-]+)", command)
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

_COMPILES = re.compile(r"(?:npx )?(tsc(?: (?:-p|--project) [\w./-]+| --build| -b)?)\s*&&\s*(?=node\s)")


def _builds(project: NodeProject) -> bool:
    build = project.scripts.get("build", "")
    return bool(build) and not re.match(r"echo\b|exit\b|true$", build)


def _command(index: Index, starts: Starts, project: NodeProject) -> tuple[str, Evidence]:
    for start in starts.found:
        if start.name in ("web", "app", "api", "server", "node", "backend"):
            for command in start.commands:
                if command.name == "node" and len(command.words) > 1 and _is_there(index, project, command.words[-1]):
                    return " ".join(command.words), command.evidence
    at = index.line(project.path, '"start"')
    start_line = followed(project, project.scripts.get("start", ""))
    if project.server == "next" and (standalone := _standalone(index, project)):
        return "node .next/standalone/server.js", standalone
    if project.server == "next":
        return "node_modules/.bin/next start -H 127.0.0.1 -p $PORT", index.line(project.path, '"next"')
    if project.server == _SVELTE and not re.match(r"(NODE_ENV=\w+\s+)?node\s", start_line):
        config = join(project.folder, "svelte.config.js")
        out = re.search(r"""adapter\(\{[^}]{0,300}?\bout:\s*['"]([\w./-]+)['"]""", index.text(config))
        return f"node {out[1] if out else 'build'}", Evidence(config)
    if re.fullmatch(r"(NODE_ENV=\w+\s+)?node\s+[\w./=: -]+", start_line):
        return re.sub(r"^NODE_ENV=\w+\s+", "", start_line), at
    if pm2 := _pm2(index, project, start_line):
        return pm2, at
    if _SERVES.match(start_line):
        return running(project, "start"), at
    if start_line and not re.search(
        r"nx serve|nest start|nodemon|react-scripts|vite(\s|$)|webpack|--watch|ts-node-dev|ng serve", start_line
    ):
        return running(project, "start"), at
    for script in ("start:prod", "serve:prod", "prod", "production"):
        line = followed(project, project.scripts.get(script, ""))
        if re.fullmatch(r"(NODE_ENV=\w+\s+)?node\s+[\w./=: -]+", line):
            return re.sub(r"^NODE_ENV=\w+\s+", "", line), index.line(project.path, f'"{script}"')
    if prod := next((s for s in ("start:prod", "serve:prod", "prod", "production") if s in project.scripts), ""):
        return running(project, prod), index.line(project.path, f'"{prod}"')
    if plain := in_earnest(index, project, project.scripts.get("start", "")):
        return plain, at
    if start_line.startswith("nest start") and _builds(project):
        return "node dist/main", at
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
    for name in candidates:
        if name and re.fullmatch(r"[\w./-]+\.[cm]?js", name) and index.has(join(project.folder, name)):
            return f"node {name.removeprefix('./')}", Evidence(join(project.folder, name))
    for script in ("serve", "server", "dev", "start:dev", "develop", "watch"):
        if plain := in_earnest(index, project, project.scripts.get(script, "")):
            return plain, index.line(project.path, f'"{script}"')
    return "", at


def _standalone(index: Index, project: NodeProject) -> Evidence | None:
    """Where Next.js is told to leave a server with just what it needs (nextjs.org/docs: output, "standalone")."""
    for name in ("next.config.js", "next.config.mjs", "next.config.ts"):
        path = join(project.folder, name)
        found = re.search(r"""output\s*:\s*['"]standalone""", text := index.text(path))
        if found and cwd(folder_of(project.lock)) == cwd(project.folder):  # else the server lies deeper
            return Evidence(path, text.count("\n", 0, found.start()) + 1)
    return None


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
    kind = next(
        (n for n in ("astro", "react-scripts", "@angular/cli", "vite", "next", "gatsby") if project.has(n)), "front end"
    )
    notes.claim("stack" if is_alone else "static", f"a front end built by {kind}", evidence, "static")
    build = NodeBuild(manager=project.manager, dir=cwd(project.folder), script="build")
    key = "build.node" if draft.node is None else "build.front_end"
    notes.claim("build", f"packages by {project.manager}", Evidence(project.lock or project.path), key)
    if draft.node is None:
        draft.node = build
    else:
        draft.front_end = build
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
    if not project.lock:
        _unlocked(index, project, notes)
    if not machine.node_version:
        notes.problem(
            "detect.node-missing",
            project.path,
            "the front end is built by Node, and this machine has none",
            "install Node",
        )


def _served_by(index: Index, project: NodeProject, folder: str) -> Evidence | None:
    """Where a source of the server names the folder that the front end is built into."""
    last = "/".join(folder.split("/")[-2:])
    for path in index.ending(".js", ".ts", ".mjs", ".cjs"):
        if not path.startswith(f"{project.folder}/") and "static" in (text := index.text(path)):
            parts = rf"{re.escape(project.folder)}['\"]\s*,\s*['\"]{re.escape(folder.rpartition('/')[2])}"
            found = re.search(rf"{re.escape(last)}\b|{parts}\b", text)
            if found:
                return Evidence(path, text.count("\n", 0, found.start()) + 1)
    return None


def _unlocked(index: Index, project: NodeProject, notes: Notes) -> None:
    if not project.lock and (project.dependencies or project.dev):
        day = f'; where today\'s break it, set as_of = "{index.tree.day}", the day of the commit'
        says = "no lockfile: the versions are those that package.json accepts" + (day if index.tree.day else "")
        notes.claim("build", says, Evidence(project.path), "build.node")
