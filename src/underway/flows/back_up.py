"""Back up an app's data, copy it off the machine, and let go of what is old."""

from __future__ import annotations

import msgspec

from underway.flows.alert import CLOCK_ALERT, clear_alert, raise_alert
from underway.journal.events.backups import BackupCopied, BackupFailed, BackupMade, BackupsRemoved
from underway.journal.journal import Journal
from underway.keep.retention import Retention, to_remove
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.plan.parts import backup_ask
from underway.ports.copies import Progress, unheard
from underway.ports.drivers import Drivers
from underway.steps.back_up import damaged, take_backup
from underway.terms.backup import SNAPSHOT_NAME, Backup, Kept, Reason
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.release import release_id


async def back_up(
    app: str, reason: Reason, on: Drivers, journal: Journal, progress: Progress = unheard, name: str = ""
) -> Backup:
    """Make a backup of all that Underway keeps of the app, copy it to every remote, and remove what retention lets go.

    A failure is an event and an alert besides being raised. A copy that fails does not undo the backup: it is told,
    and the next round copies what is missing.
    """
    manifest = manifest_of(app, journal)
    backup_id = release_id(on.clock.now(), on.clock.entropy())
    ask = msgspec.structs.replace(backup_ask(manifest, backup_id, reason, journal.state(app)), name=name)
    try:
        backup = await take_backup(ask, on, progress)
    except Failure as failure:
        journal.record(BackupFailed(app=app, what="backup", problem=failure.problem))
        raise_alert(app, "backup", failure.problem, journal)
        raise
    journal.record(BackupMade(app=app, backup=backup))
    for key in ("backup", CLOCK_ALERT):
        clear_alert(app, key, f"backup {backup.id} was made", journal)
    await copy_out(app, manifest, on, journal)
    let_go(app, manifest, on, journal)
    await let_go_remotely(app, manifest, on, journal)
    return backup


async def copy_out(app: str, manifest: Manifest, on: Drivers, journal: Journal) -> int:
    """Copy to each remote the good backups that it does not hold, newest first; return how many copies were made.

    What went wrong is an event and an alert, and stops nothing here.
    """
    made = 0
    for remote in manifest.backup.remotes:
        for kept in on.backups.all(app):
            if kept.damage or remote in kept.copies:
                continue
            began = on.clock.monotonic()
            try:
                await on.remotes.push(app, kept.backup.id, remote)
            except Failure as failure:
                journal.record(BackupFailed(app=app, what="copy", problem=failure.problem, backup=kept.backup.id))
                raise_alert(app, f"copy {remote}", failure.problem, journal)
                break
            on.backups.note(app, kept.backup.id, copy=remote)
            took_s = round(on.clock.monotonic() - began, 3)
            journal.record(BackupCopied(app=app, backup=kept.backup.id, remote=remote, took_s=took_s))
            made += 1
        else:
            clear_alert(app, f"copy {remote}", "every backup is there", journal)
    return made


def let_go(app: str, manifest: Manifest, on: Drivers, journal: Journal) -> tuple[str, ...]:
    """Remove what the app's retention no longer keeps."""
    gone = to_remove(on.backups.all(app), _policy(manifest), on.clock.now(), _pinned(app, journal))
    if gone:
        freed = sum(on.backups.remove(app, backup_id) for backup_id in gone)
        journal.record(BackupsRemoved(app=app, backups=gone, freed_bytes=freed))
    return gone


async def let_go_remotely(app: str, manifest: Manifest, on: Drivers, journal: Journal) -> tuple[str, ...]:
    """Remove at each remote what retention no longer keeps of what lies there, by the same rules, unless
    `prune_remotes` is off. The newest that this machine has proven stays there too; while it has proven none of what
    lies there it removes nothing. What goes wrong is an alert, and the next backup tries again."""
    gone: list[str] = []
    here = {kept.backup.id: kept for kept in on.backups.all(app)}
    for remote in manifest.backup.remotes if manifest.backup.prune_remotes else ():
        try:
            held = await on.remotes.held(app, remote)
            there = [here.get(it) or Kept(backup=await on.remotes.read(app, it, remote)) for it in held]
            is_proven = any(it.proof for it in there)
            old = to_remove(there, _policy(manifest), on.clock.now(), _pinned(app, journal)) if is_proven else ()
            for backup_id in old:
                await on.remotes.remove(app, backup_id, remote)
        except Failure as failure:
            raise_alert(app, f"removal {remote}", failure.problem, journal)
            continue
        clear_alert(app, f"removal {remote}", "what is old was removed there", journal)
        if old:
            journal.record(BackupsRemoved(app=app, backups=old, freed_bytes=0, remote=remote))
            gone += old
    return tuple(gone)


async def forget(app: str, name: str, on: Drivers, journal: Journal) -> tuple[str, ...]:
    """Remove the snapshots of this name, here and where copies of them are. Raises `Refusal` (`reset.none`) and
    `Failure`."""
    found = [kept for kept in on.backups.all(app) if kept.backup.name == snapshot_name(name)]
    if not found:
        raise Refusal([no_snapshot(app, name)])
    for kept in found:
        for remote in kept.copies:
            await on.remotes.remove(app, kept.backup.id, remote)
    freed = sum(on.backups.remove(app, kept.backup.id) for kept in found)
    gone = tuple(kept.backup.id for kept in found)
    journal.record(BackupsRemoved(app=app, backups=gone, freed_bytes=freed))
    return gone


def no_snapshot(app: str, name: str) -> Problem:
    return Problem(
        code="reset.none",
        where=app,
        why=f"{app} has no snapshot {name[:40]!r}" if name else f"{app} has no snapshot",
        remedy="make one of how it should be",
        command=f"underway db snapshot {app} {name[:40] or 'demo'}",
    )


def _policy(manifest: Manifest) -> Retention:
    keys = manifest.backup
    return Retention(daily=keys.daily, weekly=keys.weekly, monthly=keys.monthly)


def _pinned(app: str, journal: Journal) -> set[str]:
    """The backups that a rollback to a release would go back to."""
    return {release for release, it in journal.state(app).releases.items() if not it.is_pruned}


async def fetch(app: str, backup_id: str, remote: str, on: Drivers, journal: Journal) -> tuple[str, ...]:
    """Fetch a backup from a remote (any of the manifest's for none named; its newest for no id), and return its id.

    Raises `Refusal` (`backup.no-remote`, `backup.not-there`) and `Failure`.
    """
    remotes = (remote,) if remote else manifest_of(app, journal).backup.remotes
    if not remotes:
        raise Refusal([_no_remote(app)])
    for place in remotes:
        held = await on.remotes.held(app, place)
        wanted = backup_id or next(iter(held), "")
        if wanted in held:
            await on.remotes.pull(app, wanted, place)
            if damage := await on.backups.damage(app, wanted):
                on.backups.note(app, wanted, damage=damage)
                raise Failure(damaged(app, wanted, damage))
            on.backups.note(app, wanted, copy=place)
            return (wanted,)
    raise Refusal([_not_there(app, backup_id, remotes)])


def snapshot_name(name: str) -> str:
    """Raises `Refusal` (`snapshot.name`)."""
    if SNAPSHOT_NAME.fullmatch(name):
        return name
    raise Refusal([_bad_name(name)])


def manifest_of(app: str, journal: Journal) -> Manifest:
    """What the app was last deployed with. Raises `Refusal` (`app.unknown`, `backup.no-release`)."""
    state = journal.state(app)
    release = state.live_release or max(
        (it for it in state.releases.values() if it.live_since), key=lambda it: it.release.id, default=None
    )
    if release is None:
        raise Refusal([_no_release(app)])
    return read_manifest(release.manifest)


def _no_remote(app: str) -> Problem:
    return Problem(
        code="backup.no-remote",
        where=app,
        why=f"no place is named where copies of {app}'s backups are",
        remedy="name it: --from s3:bucket, or remotes under [backup] in underway.toml",
        command=f"underway db fetch {app} --from REMOTE",
    )


def _not_there(app: str, backup_id: str, remotes: tuple[str, ...]) -> Problem:
    return Problem(
        code="backup.not-there",
        where=", ".join(remotes),
        why=f"there is no backup {backup_id[:40]} of {app}" if backup_id else f"there is no backup of {app}",
        remedy="see what is there",
        command=f"rclone lsf {remotes[0]}",
    )


def _bad_name(name: str) -> Problem:
    return Problem(
        code="snapshot.name",
        where=name[:60],
        why="it is no name for a snapshot",
        remedy="use 1 to 40 lower-case letters, digits and inner hyphens",
    )


def _no_release(app: str) -> Problem:
    return Problem(
        code="backup.no-release",
        where=app,
        why=f"no release of {app} was ever live, so there is nothing of it to look after",
        remedy="deploy it first",
        command="underway deploy PATH",
    )
