"""Packs shared files to stdout and unpacks them from stdin, in a process of its own.

    python -m underway.drivers.backups.pack pack PATH KIND SPARE      (zstd to stdout)
    python -m underway.drivers.backups.pack unpack PATH KIND          (zstd from stdin)

KIND is `sqlite` or `files`. The last line on stderr is a JSON object that says what it holds. SPARE is a file that
the copy of an SQLite database is made in; the caller removes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import sqlite3
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import zstandard

_LEVEL = 3
_CHUNK_BYTES = 1 << 20
EXIT_DAMAGED = 4
SIDE_FILES = ("-wal", "-shm", "-journal")
"""What SQLite may keep beside a database (sqlite.org/tempfiles.html)."""
SQLITE_MAGIC = b"SQLite format 3\0"
"""The first 16 bytes of a database file (sqlite.org/fileformat.html, 1.3.1)."""


def main(words: list[str]) -> int:
    """0 when all went through, 4 when what was read is damaged."""
    verb, path, kind, *spare = words
    try:
        if verb == "pack":
            way = pack_database if kind == "sqlite" else pack_files
            found = way(Path(path), Path(spare[0]))
        else:
            found = unpack_database(Path(path)) if kind == "sqlite" else unpack_files(Path(path))
    except (zstandard.ZstdError, tarfile.TarError, sqlite3.DatabaseError, EOFError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return EXIT_DAMAGED
    sys.stderr.write(json.dumps(found) + "\n")
    return 0


def pack_database(path: Path, spare: Path) -> dict[str, Any]:
    copy_database(path, spare)
    found = look(spare)
    with spare.open("rb") as stream:
        zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).copy_stream(stream, sys.stdout.buffer)
    sys.stdout.buffer.flush()
    return found


def copy_database(path: Path, spare: Path) -> None:
    """Copy in one read transaction: writers go on in WAL mode, and wait for it in the older journal modes."""
    source = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
    target = sqlite3.connect(spare)
    try:
        source.execute("PRAGMA query_only = 1")
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")
    finally:
        target.close()
        source.close()


def unpack_database(path: Path) -> dict[str, Any]:
    with path.open("xb") as stream:
        _decompress(sys.stdin.buffer, stream)
        stream.flush()
        os.fsync(stream.fileno())
    return look(path)


def look(path: Path) -> dict[str, Any]:
    """Rows of every table and a digest of the schema. Raises `sqlite3.DatabaseError` when it is not sound."""
    database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        wrong = [row[0] for row in database.execute("PRAGMA quick_check")]
        if wrong != ["ok"]:
            raise sqlite3.DatabaseError(str(wrong[0]))
        ours = "FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        lines = database.execute(f"SELECT type, name, tbl_name, sql {ours} ORDER BY type, name").fetchall()
        names = [line[1] for line in lines if line[0] == "table" and "CREATE VIRTUAL" not in (line[3] or "").upper()]
        tables = {}
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            tables[name] = database.execute(f"SELECT count(*) FROM {quoted}").fetchone()[0]  # noqa: S608 - quoted
    finally:
        database.close()
    schema = hashlib.sha256(json.dumps(lines).encode()).hexdigest()[:32]
    return {"tables": tables, "schema": schema, "raw_bytes": path.stat().st_size, "files": 1}


def pack_files(path: Path, spare: Path) -> dict[str, Any]:
    """Everything below `path` (or the one file), with the names sorted. A file that goes away meanwhile is left out;
    what a file has when it is read is what is kept. No socket, device or pipe is. An SQLite database among them is
    copied as one, so that it is whole though it is written meanwhile, and what SQLite keeps beside it is left out."""
    seen = _Seen()
    with (
        zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).stream_writer(
            sys.stdout.buffer, closefd=False
        ) as out,
        tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for each in _walk(path):
            name = each.relative_to(path).as_posix() if each != path else "."
            try:
                entry = tar.gettarinfo(each, arcname=name)
            except OSError:
                continue
            if not (entry.isreg() or entry.isdir() or entry.issym()):
                continue
            if not entry.isreg():
                tar.addfile(entry)
                seen.add(name, entry, "")
                continue
            entry.type = tarfile.REGTYPE
            if is_beside_database(each):
                continue
            try:
                stream = _frozen(each, spare) if is_database(each) else each.open("rb")
                entry.size = os.fstat(stream.fileno()).st_size
            except OSError:
                continue
            with stream:
                reader = _Exactly(stream, entry.size)
                tar.addfile(entry, reader)
                seen.add(name, entry, reader.digest)
    sys.stdout.buffer.flush()
    return seen.told()


def unpack_files(path: Path) -> dict[str, Any]:
    """Under `path`, which must not be there: nothing of it leaves that folder, whatever the names say."""
    seen = _Seen()
    path.mkdir(mode=0o700)
    with (
        zstandard.ZstdDecompressor().stream_reader(sys.stdin.buffer, read_across_frames=True, closefd=False) as source,
        tarfile.open(fileobj=source, mode="r|") as tar,
    ):
        for entry in tar:
            name = entry.name
            if entry.isreg():
                safe = tarfile.data_filter(entry, str(path))
                target = path / safe.name if safe.name != "." else path
                if not os.path.realpath(target.parent).startswith(os.path.realpath(path.parent)):
                    raise tarfile.OutsideDestinationError(entry, str(target))  # through a link that it made before
                target.parent.mkdir(parents=True, exist_ok=True)
                content = tar.extractfile(entry)
                assert content is not None
                digest = hashlib.sha256()
                if target == path:  # one file was kept, not a folder
                    path.rmdir()
                with target.open("xb") as out:
                    while chunk := content.read(_CHUNK_BYTES):
                        digest.update(chunk)
                        out.write(chunk)
                target.chmod(entry.mode & 0o777)
                os.utime(target, (entry.mtime, entry.mtime))
                if os.geteuid() == 0:
                    os.chown(target, entry.uid, entry.gid)
                seen.add(name, entry, digest.hexdigest())
            else:
                tar.extract(entry, path, filter="tar")
                seen.add(name, entry, "")
        while source.read(_CHUNK_BYTES):  # to its end, so that a cut or changed tail is noticed
            pass
    return seen.told()


def is_database(path: Path) -> bool:
    """True for an SQLite database. Raises `OSError`."""
    with path.open("rb") as stream:
        return stream.read(16) == SQLITE_MAGIC


def databases(folder: Path) -> dict[str, Path]:
    """The SQLite databases below a folder, by their path in it. What a restore left beside (hidden) is none."""
    found = {}
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(at, name)
            with contextlib.suppress(OSError):
                if not name.startswith(".") and path.is_file() and not path.is_symlink() and is_database(path):
                    found[path.relative_to(folder).as_posix()] = path
    return found


def is_beside_database(path: Path) -> bool:
    """True for what SQLite keeps beside a database (sqlite.org/tempfiles.html): a copy of the database has it."""
    side = next((side for side in SIDE_FILES if path.name.endswith(side)), "")
    if not side:
        return False
    try:
        return is_database(path.with_name(path.name.removesuffix(side)))
    except OSError:
        return False


def _frozen(path: Path, spare: Path) -> IO[bytes]:
    """The bytes of a database as they are in one moment; of one that cannot be copied as such, its file's."""
    spare.unlink(missing_ok=True)
    try:
        copy_database(path, spare)
        return spare.open("rb")
    except sqlite3.Error:  # it is damaged, or only begins like one: keep what is there
        return path.open("rb")


class _Seen:
    """A digest over names, kinds and contents, in order."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._files = self._bytes = 0

    def add(self, name: str, entry: tarfile.TarInfo, digest: str) -> None:
        kind = entry.type.decode()
        self._digest.update(f"{name}\0{kind}\0{entry.linkname}\0{digest}\n".encode(errors="surrogateescape"))
        if entry.isreg():
            self._files += 1
            self._bytes += entry.size

    def told(self) -> dict[str, Any]:
        return {"schema": self._digest.hexdigest()[:32], "files": self._files, "raw_bytes": self._bytes, "tables": {}}


class _Exactly(io.RawIOBase):
    """So many bytes of a file, with zeroes after an early end: a file may shrink while it is read."""

    def __init__(self, stream: IO[bytes], size: int) -> None:
        self._stream, self._left, self._digest = stream, size, hashlib.sha256()

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def read(self, size: int = -1) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        chunk = self._stream.read(wanted)
        chunk += b"\0" * (wanted - len(chunk))
        self._left -= wanted
        self._digest.update(chunk)
        return chunk


def _walk(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        for entry in sorted(os.scandir(path), key=lambda it: it.name):
            yield from _walk(Path(entry.path))


def _decompress(source: IO[bytes], target: IO[bytes]) -> None:
    """Raises `EOFError` when it is cut short."""
    reader = zstandard.ZstdDecompressor().decompressobj()
    is_whole = False
    while chunk := source.read(_CHUNK_BYTES):
        if is_whole:
            raise EOFError("there is more after its end")
        target.write(reader.decompress(chunk))
        is_whole = reader.eof
    if not is_whole:
        raise EOFError("it is cut short")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
