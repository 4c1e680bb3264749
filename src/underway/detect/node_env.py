"""Environment variables that JavaScript and TypeScript sources read, and schemas that demand them."""

from __future__ import annotations

import re

from underway.detect.index import Index, folder_of
from underway.detect.model import Evidence
from underway.detect.node_env_objects import reads_through_objects
from underway.detect.python_code import EnvRead

_READ = re.compile(
    r"""process\.env(?:(?:\s{0,40}\n\s{0,40})?\.([A-Za-z_]\w*)|\[['"]([A-Za-z_]\w*)['"]\])(!)?"""
    r"""(\s{0,40}(?:\|\||\?\?)\s{0,40}(['"`]?)([^'"`;,)\n]{0,500})\5)?""",
    re.ASCII,
)
_UNPACKED = re.compile(r"(?:const|let|var)\s*\{([^}]{1,2000})\}\s*=\s*process\.env")
_SCHEMA = re.compile(
    r"(?<![\w.$])([A-Z][A-Z0-9_]{1,80})[ \t]*:\s{0,40}(Joi|z|v|str|url|num|port|bool|email|host)\b"
    r"([^\n]{0,2000}(?:\n[ \t]{0,80}\.[^\n]{0,500}){0,20})",
)
_CONVICT = re.compile(r"""env:\s*['"]([A-Z][A-Z0-9_]{1,80})['"]""")
_JSON_SCHEMA = re.compile(r"\brequired:\s{0,40}\[([^\]]{1,4000})\]")
_PROPERTY = re.compile(r"\b([A-Z][A-Z0-9_]{1,80}):\s{0,40}\{(\s{0,40}type:[^}]{0,500})\}")
_ENV_VAR = re.compile(r"""\.get\(\s*['"]([A-Z][A-Z0-9_]{1,80})['"]\s*\)([^\n;]{0,200})""")
_OPTIONAL = re.compile(r"optional|default|nullish|nullable|devDefault|catch\(")


_COMMENT = re.compile(r"(?m)^[ \t]*(?://|\*[ \t/]|/\*).*$")
_DEFINED = re.compile(r"""['"]process\.env\.([A-Za-z_]\w*)['"]\s{0,4}:""")
"""What webpack's DefinePlugin, Vite's and esbuild's `define` put in place of a read."""


def node_env_reads(index: Index, paths: list[str]) -> list[EnvRead]:
    """Reads of `process.env`, and what a Joi, zod, envalid or JSON schema says must be there."""
    reads: list[EnvRead] = []
    texts = {path: _COMMENT.sub("", index.text(path)) for path in paths}
    with_passport = any("passport" in text or "Strategy" in text for text in texts.values())
    for path, text in texts.items():
        if "process.env" in text:
            for found in _READ.finditer(text):
                default = found[6].strip() if found[4] else None
                at = Evidence.at(path, text, found.start())
                is_sure = bool(found[3])  # `!` is TypeScript's "it is never undefined"
                is_sure = is_sure or (with_passport and _is_demanded(text, found.start(), found[1] or found[2]))
                reads.append(EnvRead(found[1] or found[2], at, is_required=is_sure, default=default))
            for each in _UNPACKED.finditer(text):
                at = Evidence.at(path, text, each.start())
                names = (re.match(r"\s*([A-Z_][A-Z0-9_]*)", part) for part in each[1].split(","))
                reads += [EnvRead(name[1], at, is_required=False) for name in names if name]
        if re.search(r"process\.env|runtimeEnv|envalid|envsafe|cleanEnv|parseEnv|EnvSchema|envSchema", text):
            reads += _schema(path, text)
        if "class-validator" in text and re.search(r"\bclass \w*(?:Env|Config|Variables)\w*", text):
            reads += _validated_class(path, text)
        if re.search(r"@fastify/env\b|['\"]fastify-env['\"]|['\"]env-schema['\"]", text):
            reads += _json_schema(path, text)
        if "convict(" in text:
            is_checked = ".validate(" in text
            for found in _CONVICT.finditer(text):
                at = Evidence.at(path, text, found.start())
                block = text[text.rfind("{", 0, found.start()) : text.find("}", found.end())]
                is_null = bool(re.search(r"\bdefault:\s*null\b", block)) and not re.search(r"nullable:\s*true", block)
                default = re.search(r"""\bdefault:\s*['"]([^'"\n]{0,200})['"]""", block)
                value = default[1] if default else None
                reads.append(EnvRead(found[1], at, is_required=is_checked and is_null, default=value))
        if "env-var" in text:
            for found in _ENV_VAR.finditer(text):
                at = Evidence.at(path, text, found.start())
                must = ".required(" in found[2] and ".default(" not in found[2]
                reads.append(EnvRead(found[1], at, is_required=must))
        reads += _listed(path, text)
        reads += _other_ways(path, text)
        reads += _of_svelte_kit(path, text)
        if len(reads) > 2000:
            break
    reads += reads_through_objects(texts)
    made = _made_by_next(index, paths) | _defined(index, paths)
    emptied = tuple(f"{folder_of(path)}/src/".lstrip("/") for path in paths if _emptied(path, texts[path]))
    return [read for read in reads if read.name not in made and not read.evidence.path.startswith(emptied or ("//",))]


_LIST = re.compile(r"\b(?:const|let|var)\s+(\w+)[^=\n]{0,60}=\s*\[([^\]]{1,3000})\]")
_TESTED = (
    r"\b{0}\s*\.\s*(?:filter|some|every|find|forEach)\(\s*\(?\s*(\w+)[^)=]{{0,40}}\)?\s*=>[^;]{{0,80}}!?\s*process\.env\[\s*\1\s*\]"
    r"|\bfor\s*\(\s*(?:const|let|var)\s+(\w+)\s+of\s+{0}\s*\)[^;]{{0,80}}!\s*process\.env\[\s*\2\s*\]"
)


def _listed(path: str, text: str) -> list[EnvRead]:
    """Names in a list that the source goes through to end the program where one of them is not set."""
    out = []
    for found in _LIST.finditer(text) if "process.env[" in text else ():
        tested = re.search(_TESTED.format(re.escape(found[1])), text)
        if tested and re.search(r"\bthrow\b|process\.exit", text[tested.start() : tested.end() + 600]):
            for name in re.finditer(r"""['"`]([A-Z][A-Z0-9_]{1,80})['"`]""", found[2]):
                at = Evidence.at(path, text, found.start(2) + name.start())
                out.append(EnvRead(name[1], at, is_required=True))
    return out


_DEMANDS = re.compile(r"\bclientI[Dd]\s*:\s*$")


def _is_demanded(text: str, start: int, name: str) -> bool:
    """True for the client's id of a passport strategy: it throws without one (passport-oauth2, strategy.js), unless the
    source asks first whether it is there."""
    line = text[text.rfind("\n", 0, start) + 1 : start]
    if not _DEMANDS.search(line):
        return False
    return not re.search(rf"if\s*\([^\n]{{0,200}}\b{name}\b|\b{name}\b[^\n]{{0,40}}(?:&&|\?[^?.])", text)


def _emptied(path: str, text: str) -> bool:
    """True for a bundler's configuration that puts an empty object in place of the whole environment."""
    return "config" in path and bool(re.search(r"""['"]process\.env['"]\s*:\s*\{\s*\}""", text))


def _defined(index: Index, paths: list[str]) -> set[str]:
    """Names that a bundler's configuration replaces with a value of its own, which it does not take from there."""
    made: set[str] = set()
    for path in paths:
        if "process.env." in (text := index.text(path)) and re.search(r"DefinePlugin|\bdefine\b", text):
            for found in _DEFINED.finditer(text):
                value = re.split(r",\s*['\"]process\.env|\}\)", text[found.end() : found.end() + 300])[0]
                if found[1] != "NODE_ENV" and f"process.env.{found[1]}" not in value:
                    made.add(found[1])
    return made


_NEXT_ENV = re.compile(r"\benv\s{0,4}:\s{0,4}\{((?:[^{}]|\{[^{}]{0,2000}\}){0,4000}?)\}")
_NEXT_KEY = re.compile(r"(?:^|[,{(\n])\s*([A-Za-z_]\w*)\s*(?:(?=,|\n|$)|:\s*([^,\n]{0,300}))")


def _made_by_next(index: Index, paths: list[str]) -> set[str]:
    """Names that a Next configuration puts into `process.env` itself (nextjs.org, next.config.js, env)."""
    made: set[str] = set()
    for path in paths:
        if "config" in path and re.search(r"\bnext", text := index.text(path), re.IGNORECASE):
            for block in _NEXT_ENV.finditer(text):
                for key in _NEXT_KEY.finditer(block[1]):
                    if f"process.env.{key[1]}" not in (key[2] or ""):
                        made.add(key[1])
    return made


_BUILT_IN = frozenset({"MODE", "DEV", "PROD", "SSR", "BASE_URL"})
"""What Vite gives in `import.meta.env` without anybody setting it (vite.dev/guide/env-and-mode)."""
_ELSEWHERE = (
    re.compile(r"""import\.meta\.env\??(?:\.([A-Za-z_]\w*)|\[['"]([A-Za-z_]\w*)['"]\])(?!\s*=(?!=))"""),
    re.compile(r"""\bBun\.env(?:\.([A-Za-z_]\w*)|\[['"]([A-Za-z_]\w*)['"]\])"""),
    re.compile(r"""\bDeno\.env\.(?:get|has)\(\s*(?:['"`]([A-Za-z_]\w*)['"`])(\b)?"""),
    re.compile(
        r"""\b[cC]onfig(?:Service)?\.(?:get|getOrThrow)(?:<[^>\n]{0,80}>)?\(\s*['"]([A-Z][A-Z0-9_]{2,80})['"](\b)?"""
    ),
    re.compile(r"""process\.env\?\.(?:([A-Za-z_]\w*)|\[['"]([A-Za-z_]\w*)['"]\])"""),
    re.compile(r"""process\.env\[['"]([^'"\n]{1,80})['"]\](\b)?"""),
    re.compile(r"""(?:\|\||\?\?)\s{0,80}process\.env\.([A-Za-z_]\w*)(\b)?"""),
)
_UNPACKED_ELSEWHERE = re.compile(
    r"(?:const|let|var)\s*\{([^}]{1,2000})\}\s*=\s*(?:import\.meta\.env|Bun\.env|loadEnv\()"
)


def _other_ways(path: str, text: str) -> list[EnvRead]:
    """Vite, Bun, Deno, SvelteKit and Nest, and optional chaining."""
    out: list[EnvRead] = []

    def add(name: str, start: int) -> None:
        out.append(EnvRead(name, Evidence.at(path, text, start), is_required=False))

    if not re.search(r"\benv\b|[cC]onfig", text):
        return out
    for pattern in _ELSEWHERE:
        for found in pattern.finditer(text):
            name = found[1] or found[2]
            if name and not (name in _BUILT_IN and "import.meta" in found[0]):
                add(name, found.start())
    for found in _UNPACKED_ELSEWHERE.finditer(text):
        for part in found[1].split(","):
            if (name_found := re.match(r"\s*([A-Z_][A-Z0-9_]*)\b", part)) and name_found[1] not in _BUILT_IN:
                add(name_found[1], found.start())
    return out


_KIT = re.compile(
    r"import\s*(?:\{([^}]{1,2000})\}|\*\s*as\s+(\w+))\s*from\s*['\"]\$env/(static|dynamic)/(?:private|public)['\"]"
)


def _of_svelte_kit(path: str, text: str) -> list[EnvRead]:
    """What is imported from `$env`: static names must be there when it is built, dynamic ones are read of an object
    (svelte.dev/docs/kit/$env-static-private)."""
    out: list[EnvRead] = []
    if "$env/" not in text:
        return out

    def add(name: str, start: int, *, is_required: bool) -> None:
        out.append(EnvRead(name, Evidence.at(path, text, start), is_required=is_required))

    for found in _KIT.finditer(text):
        parts = [re.match(r"\s*(\w+)(?:\s+as\s+(\w+))?", part) for part in (found[1] or "").split(",")]
        names = [(part[1], part[2] or part[1]) for part in parts if part]
        if found[3] == "static" and found[1]:
            for name, _ in names:
                add(name, found.start() + found[0].find(name), is_required=True)
            continue
        held = [found[2]] if found[2] else [local for name, local in names if name == "env"]
        for each in held:
            for read in re.finditer(rf"(?<![\w.$]){each}\??\.([A-Z_][A-Z0-9_]*)\b(!)?(?!\s*=[^=])", text):
                add(read[1], read.start(), is_required=bool(read[2]))
    return out


_DECORATED = re.compile(
    r"((?:^[ \t]*@\w+\([^\n]{0,200}\)[ \t]*\n){1,8})[ \t]*([A-Z][A-Z0-9_]{1,80})[!?]?:[ \t]*([\w\[\]]+)", re.MULTILINE
)


def _validated_class(path: str, text: str) -> list[EnvRead]:
    """Fields of a class that class-validator checks (`@IsString() APP_NAME: string`)."""
    out = []
    for found in _DECORATED.finditer(text):
        before = re.split(r";|\{\n|\n[ \t]*\n", text[max(0, found.start() - 600) : found.start(2)])[-1]
        is_required = not re.search(r"@(IsOptional|ValidateIf)\b", before)
        at = Evidence.at(path, text, found.start(2))
        is_number = found[3] == "number" or "@IsInt" in found[1] or "@IsNumber" in found[1]
        out.append(EnvRead(found[2], at, is_required=is_required, is_number=is_number))
    return out


def _json_schema(path: str, text: str) -> list[EnvRead]:
    """What the JSON schema of @fastify/env names; required is what it lists so and gives no default."""
    out = []
    for found in _PROPERTY.finditer(text):
        at = Evidence.at(path, text, found.start())
        is_number = bool(re.search(r"['\"](?:number|integer)['\"]", found[2]))
        default = re.search(r"""default:\s{0,10}['"`]?([^'"`,}\n]{0,200})""", found[2])
        value = default[1].strip() if default else None
        out.append(EnvRead(found[1], at, is_required=False, default=value, is_number=is_number))
    for found in _JSON_SCHEMA.finditer(text):
        for name in re.findall(r"""['"]([A-Z][A-Z0-9_]{1,80})['"]""", found[1]):
            own = re.search(rf"\b{name}\s{{0,10}}:\s{{0,40}}\{{([^}}]{{0,500}})\}}", text)
            default = re.search(r"""default:\s{0,10}['"`]?([^'"`,}\n]{0,200})""", own[1]) if own else None
            at = Evidence.at(path, text, own.start() if own else found.start())
            is_number = bool(own and re.search(r"type:\s{0,10}['\"](number|integer)", own[1]))
            value = default[1].strip() if default else None
            out.append(EnvRead(name, at, is_required=default is None, default=value, is_number=is_number))
    return out


def _schema(path: str, text: str) -> list[EnvRead]:
    out = []
    for found in _SCHEMA.finditer(text):
        name, kind, rest = found[1], found[2], found[3]
        if rest.rstrip().endswith("({"):  # its options follow on lines of their own
            rest += text[found.end() : found.end() + 1000].partition("})")[0]
        is_required = ".required(" in rest if kind == "Joi" else not _OPTIONAL.search(rest)
        default = re.search(r"""default\(?\s*:?\s*['"]([^'"]*)['"]""", rest)
        at = Evidence.at(path, text, found.start())
        reads_number = "number" in rest[:40] or kind in ("num", "port")
        value = default[1] if default else None
        out.append(EnvRead(name, at, is_required=is_required, default=value, is_number=reads_number))
    return out
