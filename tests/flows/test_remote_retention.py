"""What is old goes at remotes too, by the same rules, and what is proven stays."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.drivers.backups.test_remotes import Words
from tests.journeys.bucket import closed_port, s3, settings

from underway.drivers.backups.folder import BackupFolders
from underway.drivers.backups.remotes import RcloneRemotes, program
from underway.drivers.clock.system import SystemClock
from underway.flows.back_up import let_go, let_go_remotely
from underway.manifest.read import read_manifest
from underway.terms.backup import Backup, Content, Part, Proof, Reason
from underway.terms.home import Home
from underway.terms.release import release_id
from underway.wiring.drivers import open_journal

DAY = 86_400.0
REMOTE = "offsite:shop-backups"
MANIFEST = f"""\
manifest = 1
app = "shop"
[processes.web]
command = "serve"
[backup]
remotes = ["{REMOTE}"]
daily = 2
weekly = 0
monthly = 0
"""


def test_a_remote_keeps_what_the_rules_keep_and_the_last_proven_one(tmp_path: Path) -> None:
    if program() is None:
        pytest.skip("there is no rclone")
    (tmp_path / "bucket/shop-backups").mkdir(parents=True)
    port = closed_port()
    home, fresh = Home(tmp_path / "home"), Home(tmp_path / "fresh")
    home.root.mkdir()
    clock = SystemClock()
    manifest = read_manifest(MANIFEST)
    journal = open_journal(home)

    def drivers(at: Home, port: int = port) -> SimpleNamespace:
        folders = BackupFolders(at)
        remotes = RcloneRemotes(at, folders, Words(settings(port)))
        return SimpleNamespace(backups=folders, remotes=remotes, clock=clock)

    on, other = drivers(home), drivers(fresh)

    def made(days: float, name: str = "") -> str:
        at = clock.now() - days * DAY
        backup_id = release_id(at, 1)
        folder = Path(on.backups.begin("shop", backup_id))
        (folder / "files.tar.zst").write_bytes(b"x")
        digest = hashlib.sha256(b"x").hexdigest()
        part = Part(content=Content.FILES, file="files.tar.zst", size_bytes=1, sha256=digest)
        on.backups.finish(
            Backup(id=backup_id, app="shop", reason=Reason.SCHEDULED, at=at, took_s=1, parts=(part,), name=name)
        )
        return backup_id

    async def story() -> None:
        old = [made(40), made(30), made(20)]
        named, newest = made(25, "seed"), [made(1.5), made(0)]
        proof = Proof(backup=old[1], at=clock.now(), how="drill", server="", restore_s=1, lost_s=1, tables=0, rows=0)
        on.backups.note("shop", old[1], proof=proof)
        with s3(tmp_path / "bucket", port):
            for kept in on.backups.all("shop"):
                await on.remotes.push("shop", kept.backup.id, REMOTE)
            let_go("shop", manifest, on, journal)
            gone = await let_go_remotely("shop", manifest, on, journal)
            assert set(gone) == {old[0], old[2]}
            stay = {old[1], named, *newest}
            assert set(await on.remotes.held("shop", REMOTE)) == stay
            assert {kept.backup.id for kept in on.backups.all("shop")} == stay
            assert not list((tmp_path / "bucket").rglob(f"*{old[0]}*")), "nothing is left of it"
            assert await let_go_remotely("shop", manifest, on, journal) == ()

            assert await let_go_remotely("shop", manifest, other, journal) == ()
            assert set(await other.remotes.held("shop", REMOTE)) == stay, "a machine that has proven none removes none"
        assert await let_go_remotely("shop", manifest, on, journal) == ()
        assert "removal " + REMOTE in journal.state("shop").alerts.standing, "it did not answer"

    asyncio.run(story())
