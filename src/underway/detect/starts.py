"""What the repository itself says about starting: Procfile, compose, Dockerfile. Evidence that wins over guesses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from underway.detect.dockerfile import Dockerfile, read_dockerfile
from underway.detect.index import Index, folder_of, join
from underway.detect.model import Evidence
from underway.detect.shell import Simple, line_of, simple_commands
from underway.detect.yamlish import Node, read_yaml

_COMPOSE = ("compose.yml", "compose.yaml", "docker-compose.yml", "docker-compose.yaml")
_PROD_COMPOSE = r"(docker-)?compose[.-](prod|production|deploy)[\w-]*\.ya?ml"
_OTHER_COMPOSE = r"(docker-)?compose[.-](?!test|ci|e2e)[\w-]+\.ya?ml"
_SHORT_COMPOSE = r"(production|prod|local)\.ya?ml"
"""How projects made with cookiecutter-django name theirs."""


_LONGEST = 3000
"""A longer command line is a program of its own, and no manifest holds it."""


@dataclass
class Start:
    """A process the repository declares."""

    name: str
    line: str
    evidence: Evidence
    folder: str = ""
    env: dict[str, str] = field(default_factory=dict)
    commands: list[Simple] = field(default_factory=list)
    replicas: int = 1


@dataclass
class Starts:
    """Everything such files say.

    `images` are the images of compose services with their evidence; `healthchecks` shell lines that ask a server;
    `environment` is what compose and Dockerfiles give the app; `volumes` are paths of the tree that containers keep;
    `first_sql` are paths of the tree that a new PostgreSQL is given, the name that each has there, and where.
    """

    found: list[Start] = field(default_factory=list)
    images: list[tuple[str, Evidence]] = field(default_factory=list)
    healthchecks: list[tuple[str, Evidence]] = field(default_factory=list)
    environment: dict[str, tuple[str, Evidence]] = field(default_factory=dict)
    dockerfiles: list[Dockerfile] = field(default_factory=list)
    volumes: list[tuple[str, Evidence]] = field(default_factory=list)
    first_sql: list[tuple[str, str, Evidence]] = field(default_factory=list)


def read_starts(index: Index) -> Starts:
    """Procfile first, then compose with the Dockerfiles it builds, then other Dockerfiles."""
    out = Starts()
    for path in index.named("Procfile")[:3]:
        _procfile(index, path, out)
    for path in index.named("uwsgi.ini")[:3]:
        _uwsgi(index, path, out)
    files = [
        read_dockerfile(p, index.text(p)) for p in index.matching(r"dockerfile([.-][\w.-]+)?|[\w-]+\.dockerfile")[:12]
    ]
    out.dockerfiles = sorted(
        files, key=lambda d: ("dev" in d.path.lower() or "local" in d.path.lower(), d.path.count("/"))
    )
    short = [p for p in index.matching(_SHORT_COMPOSE)[:4] if re.search(r"^services:", index.text(p), re.MULTILINE)]
    short.sort(key=lambda p: "local" in p)
    whole = [*index.matching(_PROD_COMPOSE)[:2], *index.named(*_COMPOSE)[:3], *short]
    for path in whole:
        _compose(index, path, out)
    for path in index.matching(_OTHER_COMPOSE)[:2] if not whole else []:
        aside = Starts()
        _compose(index, path, aside)
        out.images += aside.images  # how it is developed says what it needs, and not how it runs
    for each in out.dockerfiles:
        if each.command and not any(s.evidence.path == each.path for s in out.found):
            folder = _context_folder(index, each, folder_of(each.path))
            said = _as_copied(index, each, "", each.command)
            out.found.append(Start("web", said, each.evidence(), folder, dict(each.env)))
        if each.healthcheck:
            out.healthchecks.append((each.healthcheck, Evidence(each.path, each.healthcheck_line)))
        folder = _context_folder(index, each, folder_of(each.path))
        for volume, line in each.volumes:
            _volume(out, each, folder, volume, Evidence(each.path, line))
        for name, value in each.env.items():
            out.environment.setdefault(name, (value, index.line(each.path, name)))
    if not any(_SERVES.search(start.line) for start in out.found):
        _scripts(index, out)
    out.found = [start for start in out.found if len(start.line) <= _LONGEST]
    for start in out.found:
        start.commands = simple_commands(start.line, start.evidence, index, start.folder)
    return out


_SERVES = re.compile(r"\b(?:gunicorn|uvicorn|hypercorn|daphne|granian)\b")
_SERVED = re.compile(
    r"^(?:exec[ \t]+)?(?:(?:poetry|pipenv|uv|pdm)[ \t]+run[ \t]+)?(?:python3?[ \t]+-m[ \t]+)?"
    r"(?:gunicorn|uvicorn|hypercorn|daphne|granian)[ \t][^\n]*?\b([\w.]+):\w+[^\n]*$",
    re.MULTILINE,
)


def _scripts(index: Index, out: Starts) -> None:
    """The line of a shell script by which the repository starts its server, where nothing else says how."""
    for path in index.matching(r"(?:run|start|serve|entrypoint|boot|launch)[\w-]*\.sh")[:6]:
        if path.count("/") > 2 or re.search(r"test|dev", path):
            continue
        text = index.text(path)
        for found in _SERVED.finditer(text):
            module = found[1].replace(".", "/")
            above = (folder_of(path), folder_of(folder_of(path)), "")
            for folder in dict.fromkeys(above):
                if index.has(join(folder, f"{module}.py")) or index.has(join(folder, f"{module}/__init__.py")):
                    out.found.append(Start("web", found[0], Evidence.at(path, text, found.start()), folder))
                    return


def _procfile(index: Index, path: str, out: Starts) -> None:
    for number, line in enumerate(index.text(path).split("\n")[:200], 1):
        found = re.match(r"([A-Za-z][\w-]*)\s*:\s*(\S.*)", line)
        if found:
            out.found.append(Start(found[1].lower(), found[2].strip(), Evidence(path, number), folder_of(path)))


def _uwsgi(index: Index, path: str, out: Starts) -> None:
    """What uWSGI serves, and the daemons it keeps beside it (uwsgi-docs, "attach-daemon")."""
    folder = folder_of(path)
    is_optional = False
    for number, line in enumerate(index.text(path).split("\n")[:300], 1):
        is_optional = is_optional and not re.match(r"\s*end-?if\b", line)
        found = re.match(r"\s*([\w-]+)\s*=\s*(\S.*?)\s*$", line)
        if not found:
            continue
        key, value = found[1], found[2]
        is_optional = is_optional or (key.startswith("if-") and not key.startswith("if-not-"))
        if is_optional:
            continue  # only where a variable is set that nobody has set here
        if key == "module" and re.fullmatch(r"[\w.]+:[\w.]+", value):
            out.found.append(Start("web", f"gunicorn {value}", Evidence(path, number), _beside_manage(index, folder)))
        elif key in ("attach-daemon", "attach-daemon2", "smart-attach-daemon"):
            command = re.sub(r"^(?:\S+\.pid\s+|[\w-]+=\S+,)*(?:cmd=)?", "", value)
            named = next((word for word in command.split()[1:] if re.fullmatch(r"[a-z][\w-]*", word)), "worker")
            name = re.sub(r"[^a-z0-9]+", "-", named).strip("-")
            out.found.append(Start(name, command, Evidence(path, number), _beside_manage(index, folder)))


def _beside_manage(index: Index, folder: str) -> str:
    """The folder from which a container of uWSGI's runs: that of manage.py, else that of the file."""
    found = index.named("manage.py")
    return folder_of(found[0]) if found else folder


_OWN_COMMAND = re.compile(r"\b(?:python3?|manage\.py|gunicorn|uvicorn|daphne|hypercorn|flask|node|npm|yarn|pnpm|bun)\b")
"""What a container of somebody else's product is not told to run."""
_FRONT_OR_AID = re.compile(r"front|client|vite|webpack|tailwind|nginx|proxy|caddy|traefik|mail|flower|docs|storybook")
"""Services beside the app, whose own health says nothing of its."""


def _compose(index: Index, path: str, out: Starts) -> None:
    base = folder_of(path)
    services = read_yaml(index.text(path)).at("services")
    built = {s.at("image").text for s in services.entries.values() if s.at("build").is_there}
    for name, service in list(services.entries.items())[:60]:
        image = service.at("image")
        build = service.at("build")
        environment = _environment(service.at("environment"))
        if image.text and not build.is_there:
            out.images.append((image.text, Evidence(path, image.line)))
            if re.search(r"postg|timescale|pgvector", image.text):
                _first_sql(out, base, path, service)
            if not service.at("command").is_there or _is_service_image(image.text):
                continue
        for variable, (value, line) in environment.items():
            out.environment.setdefault(variable, (value, Evidence(path, line)))
        said = _command_text(service.at("command"))
        check = service.at("healthcheck", "test")
        is_own = not _FRONT_OR_AID.search(name)
        if check.is_there and is_own and (build.is_there or image.text in built or _OWN_COMMAND.search(said)):
            words = [w for w in check.texts() if w not in ("CMD", "CMD-SHELL")]
            out.healthchecks.append((" ".join(words), Evidence(path, check.line)))
        context = join(base, build.text or build.at("context").text or ".")
        docker = _dockerfile_of(out, context, build.at("dockerfile").text)
        if docker is not None and (target := build.at("target").text):
            docker = read_dockerfile(docker.path, index.text(docker.path), target)
        command, folder = service.at("command"), context
        if docker is not None:
            folder = _context_folder(index, docker, context)
            for item in service.at("volumes").items:
                if item.text.endswith(":ro") or item.at("read_only").text == "true":
                    continue  # the container keeps nothing there
                target = item.at("target").text or item.text.partition(":")[2].partition(":")[0]
                _volume(out, docker, folder, target, Evidence(path, item.line))
        evidence = Evidence(path, command.line)
        if docker is not None and not said:
            said, evidence = docker.command, docker.evidence()
        elif docker is not None and docker.entry != (entry := _as_copied(index, docker, context, docker.entry)):
            said = f"{entry} {said}"
        said = _as_copied(index, docker, context, said) if docker is not None else said
        if said:
            replicas = service.at("deploy", "replicas").text
            start = Start(name, said, evidence, folder, {k: v for k, (v, _) in environment.items()})
            start.replicas = int(replicas) if replicas.isascii() and replicas.isdigit() and len(replicas) < 3 else 1
            out.found.append(start)


_FIRST = "/docker-entrypoint-initdb.d"
"""What lies there is run by the image of PostgreSQL when its data is made (hub.docker.com/_/postgres)."""


def _first_sql(out: Starts, base: str, path: str, service: Node) -> None:
    for item in service.at("volumes").items[:20]:
        source, _, target = item.text.partition(":")
        source = item.at("source").text or source
        target = (item.at("target").text or target).partition(":")[0].rstrip("/")
        if target == _FIRST or target.startswith(f"{_FIRST}/"):
            out.first_sql.append((join(base, source), target[len(_FIRST) + 1 :], Evidence(path, item.line)))


def _as_copied(index: Index, docker: Dockerfile, context: str, line: str) -> str:
    """The line with the tree's own paths for scripts that the Dockerfile copies elsewhere, as `COPY run /start`."""
    for source, target in docker.copies:
        path = join(context, source)
        if target.startswith("/") and index.has(path) and f"{target} " in f"{line} ":
            own = f"/{path}".replace("\\", "")
            line = re.sub(rf"(?<!\S){re.escape(target)}(?!\S)", own, line)
    return line


_OF_A_TOOL = re.compile(r"\.(?!data\b|storage\b|uploads?\b|db\b|state\b|files\b|nicegui\b)")
"""Hidden folders are a tool's, made anew with each release, but for those that are called what an app keeps."""


def _volume(out: Starts, docker: Dockerfile, folder: str, target: str, evidence: Evidence) -> None:
    """Note the path of the tree that a container's path stands for; `folder` is that of its working directory."""
    workdir = docker.workdir.rstrip("/")
    inner = target[len(workdir) + 1 :] if target.startswith(f"{workdir}/") else target.removeprefix("./")
    if workdir and inner and not inner.startswith(("/", "$")) and not _OF_A_TOOL.match(inner):
        out.volumes.append((join(folder, inner.strip("/")), evidence))


def _is_service_image(image: str) -> bool:
    name = image.rpartition("/")[2].partition(":")[0]
    return name in ("postgres", "redis", "valkey", "mysql", "mariadb", "mongo", "traefik", "nginx", "caddy", "rabbitmq")


def _command_text(node: Node) -> str:
    if node.items:
        words = node.texts()
        if len(words) > 2 and words[0].rpartition("/")[2] in ("sh", "bash") and words[1] in ("-c", "-lc"):
            return words[2]
        return line_of(words)
    return node.text.replace("$$", "$")


def _environment(node: Node) -> dict[str, tuple[str, int]]:
    out = {name: (value.text, value.line) for name, value in node.entries.items()}
    for item in node.items:
        name, _, value = item.text.partition("=")
        out[name.strip()] = (value, item.line)
    return out


def _dockerfile_of(out: Starts, context: str, named: str) -> Dockerfile | None:
    wanted = join(context, named or "Dockerfile")
    return next((d for d in out.dockerfiles if d.path == wanted), None)


def _context_folder(index: Index, docker: Dockerfile, context: str) -> str:
    """The folder of the tree that a container's working directory stands for.

    Follows `COPY src dst`: with `COPY ./backend /app` and `WORKDIR /app/src` it is `backend/src`.
    """
    workdir = docker.workdir.rstrip("/")
    best, best_length = "", -1
    for source, target in docker.copies:
        target = target if target.startswith("/") else f"{workdir}/{target}"
        target = target.rstrip("/").removesuffix("/.")
        above, _, last = target.rpartition("/")
        is_folder = join(context, source) in index.folders
        if above == workdir and is_folder and source.rstrip("/").endswith(f"/{last}"):  # COPY ./backend/app /app/app
            folder = join(context, source.rstrip("/")[: -len(last)])
            if folder in index.folders and best_length < 0:
                best, best_length = folder, 0
            continue
        if (workdir == target or workdir.startswith(target + "/")) and len(target) > best_length:
            folder = join(join(context, source), workdir[len(target) :])
            if folder in index.folders:
                best, best_length = folder, len(target)
    if best_length >= 0:
        return best
    return context if context in index.folders else ""
