"""The line of a log that says why."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0b-\x1f\x7f]")
_NPM = re.compile(r"npm (?:error|ERR!) ?(.*)")
_NPM_NOISE = re.compile(r"(code|errno|syscall|path|dest|command|cwd|A complete log|This is related|Log files)\b|$")
_RAISED = re.compile(
    r"[A-Za-z_][\w.]*(?:Error|Exception|Warning|Exit|Interrupt|Invalid|NotFound|Configured)\b(?:: .*)?"
)
_LOUD = re.compile(
    r"(?i)\b(error|fatal|failed|failure|cannot|could not|couldn't|not found|no such|denied|refused|unable|missing"
    r"|invalid)\b"
)
_NOISE = re.compile(
    r"\s*(ELIFECYCLE|error Command failed with exit code|https?://|at |Error reference|- 0 |0 errors|"
    r"> Build failed because)|npm "
)
_UNKNOWN_HOST = re.compile(
    r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) [\w.-]+|[Cc]ould not resolve host:? [\w.-]+|"
    r"Temporary failure in name resolution|Failed to fetch `[^`\n]{1,80}` from Google Fonts"
)
_NO_HOST = re.compile(rf"{_UNKNOWN_HOST.pattern}|ERR_PNPM_FETCH_\d+\S* [^\n]{{1,300}}")
"""A machine that does not find a host, or a registry that lacks a package: whatever fails behind it, this is why."""
_OF_PNPM = re.compile(r"^\S*node_modules/([\w.@/-]+) (?:pre|post)?install(?:: |\$ )")
_LONGEST = 600
_DISK_FULL = re.compile(r"ENOSPC|No space left on device|Disk quota exceeded|EDQUOT")


def cleaned(lines: Iterable[str], secrets: Sequence[str] = ()) -> list[str]:
    """`lines` without colours, control characters and `secrets`, right-stripped, each at most 600 characters."""
    plain = []
    for line in lines:
        text = _ANSI.sub("", line.rpartition("\r")[2] if not line.endswith("\r") else line)
        for secret in secrets:
            text = text.replace(secret, "•••")
        plain.append(text.rstrip()[:_LONGEST])
    return plain


def reason(lines: Sequence[str]) -> str:
    """The most telling line of a failed command's log, empty when it said nothing.

    In order: what uv ends with (`error:` or `×` with its causes), a host not found, what npm calls an error, the
    first findings of a linter that ended the build, the first error of a type check, what the script says that yarn
    could not run or fetch, what Vite says below "Build failed", the cause that Node gives, the last exception of a
    Python traceback, the last line that sounds like a failure, the last line.
    """
    found = (
        _of_uv(lines)
        or _of_host(lines)
        or _of_npm(lines)
        or _of_lint(lines)
        or _of_types(lines)
        or _of_berry(lines)
        or _of_yarn_1(lines)
        or _of_vite(lines)
        or _of_cause(lines)
        or _of_python(lines)
        or _loud(lines)
        or _last(lines)
    )
    return found[:_LONGEST]


def is_out_of_reach(lines: Iterable[str]) -> bool:
    """True when the log says that a host was not found."""
    return any(_UNKNOWN_HOST.search(line) for line in lines)


def is_disk_full(lines: Iterable[str]) -> bool:
    """True when the log says that the disk is full."""
    return any(_DISK_FULL.search(line) for line in lines)


def _of_uv(lines: Sequence[str]) -> str:
    start = next((at for at in range(len(lines) - 1, -1, -1) if re.match(r"\s*×|error: ", lines[at])), None)
    if start is None:
        return ""
    said = [re.sub(r"^\s*(×|error:)\s*", "", lines[start])]
    for line in lines[start + 1 :]:
        text = line.strip(" │├└╰─▶\t")
        if text.startswith("hint:"):
            break
        if text:
            said.append(re.sub(r"^(cause|Caused by):\s*", "", text))
    backend = next((at for at, line in enumerate(said) if line in ("[stderr]", "[stdout]")), None)
    if backend is None:
        return " ".join(said)
    spoken = said[said.index("[stderr]") + 1 if "[stderr]" in said else backend + 1 :]
    error = next((line for line in spoken if re.search(r"(^|: )(fatal )?error: ", line)), "")
    return f"{said[0]}: {error or _of_python(spoken) or _loud(spoken) or _last(spoken)}"


def _of_host(lines: Sequence[str]) -> str:
    """The line that tells of a host which this machine does not find, with the address that was asked for."""
    at = next((at for at in range(len(lines) - 1, -1, -1) if _NO_HOST.search(lines[at])), None)
    if at is None:
        return ""
    said = _OF_PNPM.sub(lambda found: f"{found[1]}: ", lines[at].strip()).replace("\ufffd", "")
    said = re.sub(
        r"^npm (?:error|ERR!) ?|^[\s\d.:kMG-]*(?=curl: \(\d)", "", said
    )  # curl's counters go before its words
    asked = next((found[0] for line in reversed(lines[max(0, at - 40) : at]) if (found := _ASKED.search(line))), "")
    return f"{said} ({asked})" if asked and "://" not in said else said


_ASKED = re.compile(r"(?<=[Dd]ownloading )https?://[^\s'\"]{4,200}")


def _of_npm(lines: Sequence[str]) -> str:
    said = [match[1] for line in lines if (match := _NPM.match(line)) and not _NPM_NOISE.match(match[1])]
    if not said:
        return ""
    if native := _of_native(said, lines):
        return native
    if said[0].startswith("Lifecycle script"):  # the script's own words are more telling
        own = [line for line in lines if not line.startswith(("npm ", ">"))]
        return _of_python(own) or _loud(own) or said[0]
    return " ".join(said[:3])


_GYP = re.compile(r"(?:node-pre-gyp|prebuild-install|gyp)\b")
_GYP_SAYS = (
    re.compile(r"(?:/bin/)?sh: (?:\d+: |line \d+: )?(\S.*(?:not found|denied|No such file).*)"),
    re.compile(r"(\S+: (?:fatal )?error: .*)"),
    re.compile(r"gyp ERR! (?:find Python )?(Could not find any Python.*|not found: make.*)"),
    re.compile(r"(?:node-pre-gyp|gyp) ERR! stack Error: (?!.*(?:exit code|Failed to execute))(.*)"),
    re.compile(r"(?:node-pre-gyp|gyp) ERR! (?:stack )?(.*(?:ENOTFOUND|EAI_AGAIN|status \d+|callback never).*)"),
    re.compile(r"(?:node-pre-gyp|gyp) ERR! stack Error: (.*)"),
)  # fmt: skip


def _of_native(said: Sequence[str], lines: Sequence[str]) -> str:
    """Why a native module of Node's could be neither downloaded as a build nor compiled here."""
    if not any(_GYP.match(line) for line in said):
        return ""
    whole = "\n".join(lines)
    place = re.search(r"npm (?:error|ERR!) path \S*/node_modules/((?:@[\w.-]+/)?[\w.-]+)\s*$", whole, re.MULTILINE)
    version = re.search(r"\$npm_package_version (\S+)|(?:_lib-|[-/])v(\d+\.\d+\.\d+)[-/]node-v\d+", whole)
    node = re.search(r"using node@(\d+)", whole)
    cause = next((found[1] for rule in _GYP_SAYS for line in said if (found := rule.match(line))), "see the log")
    name = f"{place[1]}{' ' + (version[1] or version[2]) if version else ''}" if place else "a native module"
    on = f" for Node {node[1]}" if node else ""
    return f"{name}: no build of it{on} could be downloaded, and compiling it here failed: {cause.strip()}"


def _of_cause(lines: Sequence[str]) -> str:
    """The innermost cause that Node prints of an error, with the first place of the app's own below it."""
    at = next((at for at in range(len(lines) - 1, -1, -1) if re.match(r"\s*\[cause\]: \S", lines[at])), None)
    if at is None:
        return ""
    said = lines[at].strip().removeprefix("[cause]: ").rstrip(" {")
    place = next((f for line in lines[at + 1 : at + 6] if (f := re.search(r"\(([\w@./[\]-]+:\d+):\d+\)", line))), None)
    return f"{said} ({place[1]})" if place and "node_modules" not in place[1] else said


def _of_lint(lines: Sequence[str]) -> str:
    """What eslint found, where a build stops at it: `  57:9  error  Component name … rule`."""
    if not any(re.match(r"\s*✖ \d+ problems?\b", line) for line in lines):
        return ""
    found = [
        re.sub(r"\s{2,}", " ", said[1]) for line in lines if (said := re.match(r"\s+\d+:\d+\s+error\s+(.*)", line))
    ]
    return f"its linter stops the build: {'; '.join(dict.fromkeys(found[:3]))}" if found else ""


_TYPE_ERROR = re.compile(r"\s*([^\s:(]+)(?:\((\d+),\d+\)|:(\d+):\d+)(?::| -) error (?:ts\(|TS)(\d+)\)?: (.*)")


def _of_types(lines: Sequence[str]) -> str:
    """The first error of tsc, vue-tsc or `astro check`, and how many there are."""
    found = [said for line in lines if (said := _TYPE_ERROR.match(line))]
    if not found:
        return ""
    path, line, other, code, says = found[0].groups()
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"the type check stops the build: {path}:{line or other}: TS{code}: {says}{more}"


_NOT_FETCHED = re.compile(r"ENOENT\b.*/node_modules/((?:@[\w.-]+/)?[\w.-]+)/\.yarn-(?:metadata\.json|tarball\.tgz)")


def _of_yarn_1(lines: Sequence[str]) -> str:
    """The package that yarn 1 failed to fetch: of an optional one it says that a file of its cache is gone."""
    found = next((found for line in reversed(lines) if (found := _NOT_FETCHED.search(line))), None)
    return f"yarn could not fetch {found[1]}: the registry does not give it, or its cache broke" if found else ""


_OF_BERRY = re.compile(r"➤ YN(\d{4}): (?:[│┌└] ?)?")
_OF_SCRIPT = re.compile(r"(\S+@\S+) (?:STDERR|STDOUT) ?(.*)")


def _of_berry(lines: Sequence[str]) -> str:
    """What yarn 2 and later say: `➤ YN0009: │ app@workspace:. couldn't be built successfully`, with the last loud
    line of that package's script."""
    said = [(found[1], line[found.end() :]) for line in lines if (found := _OF_BERRY.match(line))]
    broken = next((text for code, text in reversed(said) if code == "0009"), "")
    if not broken:
        return next((text for code, text in reversed(said) if code in _BERRY_ERRORS), "")
    name = broken.partition(" ")[0]
    own = [found[2] for _, text in said if (found := _OF_SCRIPT.match(text)) and found[1] == name]
    why = _of_host(own) or _of_npm(own) or _of_python(own) or _loud(own) or _last(own)
    package = "this package's own" if "@workspace:" in name else f"{name.partition('@npm')[0]}'s"
    return f"{package} install script failed: {why}" if why else broken


_BERRY_ERRORS = ("0001", "0010", "0016", "0018", "0027", "0028", "0035", "0041", "0078", "0082")
"""Codes of errors that end an install (yarnpkg.com/advanced/error-codes)."""


def _of_vite(lines: Sequence[str]) -> str:
    """What stands below the line with which Vite ends; where that is a list, its first entry."""
    at = next((at for at in range(len(lines) - 1, -1, -1) if _VITE_ENDS.search(lines[at])), None)
    if at is None:
        return ""
    below = [line.strip() for line in lines[at + 1 : at + 12]]
    said = [line for line in below if line and not line.startswith(("error during build", "at "))]
    if said and said[0].endswith(":") and len(said) > 1:
        return f"{said[0]} {said[1].lstrip('- ')}"
    return said[0] if said else ""


_VITE_ENDS = re.compile(r"(?:\[vite\] )?\S Build failed in [\d.]+m?s$|^error during build:")


def _of_python(lines: Sequence[str]) -> str:
    for line in reversed(lines):
        if _RAISED.fullmatch(line.strip()) and not line.startswith(" " * 8):
            return line.strip()
    return ""


def _loud(lines: Sequence[str]) -> str:
    return next((line.strip() for line in reversed(lines) if _LOUD.search(line) and not _NOISE.match(line)), "")


def _last(lines: Sequence[str]) -> str:
    return next((line.strip() for line in reversed(lines) if line.strip() and not _NOISE.match(line)), "")
