"""Copies off the machine, at an S3 server of rclone's own on loopback."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.journeys.bucket import KEY, WORD, closed_port, s3, settings

from underway.drivers.backups.folder import BackupFolders
from underway.drivers.backups.remotes import RcloneRemotes, program
from underway.terms.backup import Backup, Content, Part, Reason
from underway.terms.home import Home
from underway.terms.problem import Failure
from underway.terms.secret import Secret

FIRST, SECOND = "0123456789", "012345678a"


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """An S3-compatible server with the bucket `shop-backups`."""
    if program() is None:
        pytest.skip("there is no rclone")
    folder = tmp_path_factory.mktemp("s3")
    (folder / "shop-backups").mkdir()
    port = closed_port()
    with s3(folder, port):
        yield SimpleNamespace(folder=folder / "shop-backups", port=port)


class Words:
    """The part of a vault that remotes read."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: Secret(value) for name, value in values.items()}

    def values(self, app: str, layer: str = "") -> Mapping[str, Secret]:
        return self._values

    def layers(self, app: str) -> tuple[str, ...]:
        return ()


def remotes(home: Home, values: Mapping[str, str]) -> RcloneRemotes:
    return RcloneRemotes(home, BackupFolders(home), Words(values))


def made(home: Home, backup_id: str, content: bytes) -> Path:
    folders = BackupFolders(home)
    folder = Path(folders.begin("shop", backup_id))
    (folder / "database.dump").write_bytes(content)
    part = Part(
        content=Content.POSTGRES,
        file="database.dump",
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )
    folders.finish(Backup(id=backup_id, app="shop", reason=Reason.ASKED, at=1.0, took_s=1, parts=(part,)))
    return home.backups("shop") / backup_id


def test_a_backup_goes_out_and_comes_back_byte_for_byte(tmp_path: Path, bucket: SimpleNamespace) -> None:
    here, there = Home(tmp_path / "here"), Home(tmp_path / "there")
    folder = made(here, FIRST, os.urandom(2_000_000))

    async def story() -> None:
        out, back = remotes(here, settings(bucket.port)), remotes(there, settings(bucket.port))
        for _ in range(2):
            await out.push("shop", FIRST, "offsite:shop-backups/prod")
        made(here, SECOND, b"more")
        await out.push("shop", SECOND, "offsite:shop-backups/prod")
        assert await back.held("shop", "offsite:shop-backups/prod") == (SECOND, FIRST)
        for _ in range(2):
            await back.pull("shop", FIRST, "offsite:shop-backups/prod")
        fetched = there.backups("shop") / FIRST
        assert (fetched / "database.dump").read_bytes() == (folder / "database.dump").read_bytes()
        assert (fetched / "database.dump").stat().st_mode & 0o777 == 0o600
        assert await BackupFolders(there).damage("shop", FIRST) == ""

    asyncio.run(story())


def test_half_a_copy_is_no_backup_there_and_none_here(tmp_path: Path, bucket: SimpleNamespace) -> None:
    here = Home(tmp_path / "here")
    (bucket.folder / "half" / "shop" / FIRST).mkdir(parents=True)
    (bucket.folder / "half" / "shop" / FIRST / "database.dump").write_bytes(b"no manifest came after it")

    async def story() -> None:
        place = remotes(here, settings(bucket.port))
        assert await place.held("shop", "offsite:shop-backups/half") == ()
        with pytest.raises(Failure):
            await place.pull("shop", FIRST, "offsite:shop-backups/half")
        assert BackupFolders(here).all("shop") == ()

    asyncio.run(story())


def test_a_copy_that_was_cut_there_is_not_taken_in(tmp_path: Path, bucket: SimpleNamespace) -> None:
    here, there = Home(tmp_path / "here"), Home(tmp_path / "there")
    made(here, FIRST, os.urandom(100_000))

    async def story() -> None:
        await remotes(here, settings(bucket.port)).push("shop", FIRST, "offsite:shop-backups/cut")
        copy = bucket.folder / "cut" / "shop" / FIRST / "database.dump"
        copy.write_bytes(copy.read_bytes()[:50_000])
        with pytest.raises(Failure) as failed:
            await remotes(there, settings(bucket.port)).pull("shop", FIRST, "offsite:shop-backups/cut")
        assert failed.value.problem.code == "backup.damaged"
        assert BackupFolders(there).all("shop") == ()

    asyncio.run(story())


def test_what_stands_in_the_way_is_named_and_no_secret_is_told(tmp_path: Path, bucket: SimpleNamespace) -> None:
    here = Home(tmp_path / "here")
    made(here, FIRST, b"content")
    closed = closed_port()
    cases = [
        (settings(closed), "offsite:shop-backups", "remote.unreachable"),
        (settings(bucket.port, "wrong-" + WORD), "offsite:shop-backups", "remote.refused"),
        ({}, "never-configured:shop-backups", "remote.refused"),
    ]

    async def story() -> None:
        for values, remote, code in cases:
            with pytest.raises(Failure) as failed:
                await remotes(here, values).push("shop", FIRST, remote)
            assert failed.value.problem.code == code, failed.value
            told = str(failed.value) + " ".join(failed.value.log_tail)
            assert WORD not in told
            assert KEY not in told

    asyncio.run(story())
