"""The folder the proxy serves: only regular files, compressed beforehand, and the pool of hashed assets."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import shutil
import stat
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from underway.drivers.sources.listing import resolve_inside

_TEXT = frozenset(
    {
        ".html", ".htm", ".css", ".js", ".mjs", ".cjs", ".json", ".map", ".svg", ".xml", ".txt", ".md", ".csv", ".ico",
        ".webmanifest", ".wasm", ".ttf", ".otf", ".eot", ".rss", ".atom", ".yaml", ".yml", ".geojson", ".topojson",
    }
)  # fmt: skip
_SMALLEST = 1024
_LARGEST = 32 << 20
_NOT_SERVED = frozenset({"node_modules", "__pycache__", "underway.toml"})

_HASHED = re.compile(
    r"""[.\-_](?:
        [0-9a-f]{8,64}                                      # webpack, Django's manifest storage, Parcel
      | (?=[A-Za-z0-9_-]*[0-9A-Z_])[A-Za-z0-9_-]{8}         # Vite and Rollup: eight of base64url
      | (?=[A-Z0-9]*[0-9])[A-Z0-9]{8}                       # esbuild: eight of base 32
    )(?:\.[a-z0-9]{1,11}){1,3}$""",
    re.VERBOSE,
)


_HASHED_FOLDERS = re.compile(r"(^|/)(_next/static|_app/immutable|_astro)/")
"""Next.js, SvelteKit and Astro keep there only what belongs to one build."""


def is_hashed(path: str) -> bool:
    """True when the file's name carries a hash of its content (`index-BxY3k9aQ.js`, `main.55e7cbb9.css`) or lies in
    a folder of such files: it never changes, and a page of an older release may still ask for it."""
    if _HASHED_FOLDERS.search(path):
        return True
    name = path.rpartition("/")[2]
    match = _HASHED.search(name)
    return match is not None and any(letter.isdigit() or letter.isupper() for letter in match[0])


def lay_out(tree: Path, folder: str, to: Path) -> list[str]:
    """Hard-link the files of `tree/folder` into the new folder `to`; return their paths, sorted.

    Left out: names that begin with a dot (except `.well-known`), node_modules and the manifest; a symlink is
    replaced by the file it means when that lies in `tree`, and left out otherwise: the proxy follows symlinks.
    """
    to.mkdir(mode=0o755)
    root = os.path.realpath(tree)
    placed: list[str] = []
    for path in _files(f"{root}/{folder}" if folder != "." else root, ""):
        inner = path if folder == "." else f"{folder}/{path}"
        real = resolve_inside(root, inner)
        if real is None or any(step.startswith(".") and step != ".well-known" for step in real.split("/")):
            continue
        source, target = f"{root}/{real}", f"{to}/{path}"
        try:
            if not stat.S_ISREG(os.lstat(source).st_mode):
                continue
        except OSError:
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _link(source, target)
        placed.append(path)
    return sorted(placed)


def compress(folder: Path, paths: Iterable[str]) -> int:
    """Write `.gz` (and `.br`, `.zst` where Python can) beside each text of 1 KiB or more, when smaller; return how
    many files were compressed. Times are those of the original. What the build compressed itself is kept."""
    worth = [path for path in paths if os.path.splitext(path)[1].lower() in _TEXT]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as workers:
        return sum(workers.map(lambda path: _compress(f"{folder}/{path}"), worth))


def pool(static: Path, paths: Iterable[str], to: Path) -> None:
    """Hard-link hashed assets, and their compressed forms, into the app's pool `to`; the newest wins."""
    for path in paths:
        if not is_hashed(path):
            continue
        for ending in ("", ".gz", ".br", ".zst"):
            source, target = f"{static}/{path}{ending}", f"{to}/{path}{ending}"
            if os.path.isfile(source):
                os.makedirs(os.path.dirname(target), mode=0o700, exist_ok=True)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(f"{target}.new")
                _link(source, f"{target}.new")
                os.replace(f"{target}.new", target)


def drain_pool(of: Path, statics: Iterable[Path]) -> int:
    """Remove from the pool `of` what none of the folders `statics` holds any more; return the bytes freed."""
    kept = [str(static) for static in statics]
    freed = 0
    for folder, _, names in os.walk(of, topdown=False):
        inner = os.path.relpath(folder, of)
        for name in names:
            if not any(os.path.lexists(os.path.join(static, inner, name)) for static in kept):
                path = os.path.join(folder, name)
                freed += _alone(path)
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
        with contextlib.suppress(OSError):  # not empty
            os.rmdir(folder)
    return freed


def _alone(path: str) -> int:
    try:
        status = os.lstat(path)
    except OSError:
        return 0
    return status.st_blocks * 512 if status.st_nlink == 1 else 0


def _files(root: str, inner: str) -> Iterator[str]:
    with os.scandir(f"{root}/{inner}" if inner else root) as children:
        for child in children:
            if child.name in _NOT_SERVED or (child.name.startswith(".") and child.name != ".well-known"):
                continue
            path = f"{inner}/{child.name}" if inner else child.name
            if child.is_dir(follow_symlinks=False):
                yield from _files(root, path)
            else:
                yield path


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except PermissionError:  # protected_hardlinks, or a file system without them
        shutil.copy2(source, target, follow_symlinks=False)


def _compress(path: str) -> bool:
    size = os.path.getsize(path)
    if not _SMALLEST <= size <= _LARGEST:
        return False
    with open(path, "rb") as file:
        content = file.read()
    times = os.stat(path)
    done = False
    for ending, shrink in _FORMS.items():
        if os.path.lexists(path + ending):
            done = True
            continue
        small = shrink(content)
        if len(small) < size:
            with open(path + ending, "xb") as file:
                file.write(small)
            os.utime(path + ending, ns=(times.st_mtime_ns, times.st_mtime_ns))
            done = True
    return done


def _gzip(content: bytes) -> bytes:
    """One gzip member without name and time (RFC 1952): the same content gives the same bytes."""
    shrinking = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL)
    return shrinking.compress(content) + shrinking.flush()


def _forms() -> dict[str, Callable[[bytes], bytes]]:
    forms: dict[str, Callable[[bytes], bytes]] = {".gz": _gzip}
    with contextlib.suppress(ImportError):
        brotli = importlib.import_module("brotli")
        forms[".br"] = lambda content: bytes(brotli.compress(content, quality=11))
    with contextlib.suppress(ImportError):
        zstd = importlib.import_module("compression.zstd")
        forms[".zst"] = lambda content: bytes(zstd.compress(content, level=19))
    return forms


_FORMS = _forms()
