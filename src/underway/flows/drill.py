"""Prove a backup: restore it where nobody is, and see whether it holds what it should."""

from __future__ import annotations

from collections.abc import Callable

from underway.flows.alert import clear_alert, raise_alert
from underway.flows.back_up import manifest_of
from underway.flows.trial import Trial, try_release
from underway.journal.events.backups import BackupFailed, BackupFoundDamaged, BackupProven
from underway.journal.journal import Journal
from underway.keep.worth import condition
from underway.ports.copies import PartFile
from underway.ports.drivers import Drivers
from underway.ports.schemas import Login
from underway.steps.back_up import damaged, find_backup, identity_of
from underway.terms.backup import Backup, Condition, Content, Kept, Measured, Part, Proof, differences, no_such_backup
from underway.terms.problem import Failure, Problem, Refusal
from underway.terms.secret import Secret

Say = Callable[[str], None]


async def drill(
    app: str, backup_id: str, on: Drivers, journal: Journal, say: Say, identity: Secret | None = None
) -> Proof:
    """Restore a backup (the newest good one for no id) into a scratch server, compare schema and counts with its
    manifest, ask the live release's smoke requests on it, and write down what that took.

    Raises `Refusal` (`backup.none`) and `Failure`; a failure is an event and an alert as well, and one that tells of
    the backup itself marks it as damaged.
    """
    kept = chosen(app, backup_id, on)
    try:
        proof = await _prove(kept.backup, on, journal, say, identity or identity_of(app, on))
    except Failure as failure:
        _tell(app, kept.backup.id, "drill", failure.problem, on, journal)
        raise
    on.backups.note(app, kept.backup.id, proof=proof)
    journal.record(BackupProven(app=app, proof=proof))
    clear_alert(app, "drill", f"backup {kept.backup.id} was restored and is what it should be", journal)
    return proof


async def verify(
    app: str, backup_id: str, on: Drivers, journal: Journal, say: Say, identity: Secret | None = None
) -> tuple[str, ...]:
    """Read backups as a restore would, without a server: checksums, then every byte of every part. Return the ids
    that were read. Raises the `Failure` of the first bad one, once all were read."""
    wanted = [chosen(app, backup_id, on)] if backup_id else list(on.backups.all(app))
    if not wanted:
        raise Refusal([none_yet(app)])
    failed: Failure | None = None
    for kept in wanted:
        say(f"reading {kept.backup.id}")
        try:
            await _require_whole(kept.backup, on)
            for part in kept.backup.parts:
                file = _file(kept.backup, part, on, identity or identity_of(app, on))
                if part.content is Content.POSTGRES:
                    await on.dumps.read_through(file)
                else:
                    await _compare_files(file, on)
        except Failure as failure:
            _tell(app, kept.backup.id, "verify", failure.problem, on, journal)
            failed = failed or failure
    if failed is not None:
        raise failed
    return tuple(kept.backup.id for kept in wanted)


async def look_over(app: str, on: Drivers, journal: Journal, say: Say) -> tuple[str, ...]:
    """Compare every good backup with its checksums. What is found damaged is told as a failed check is; its ids are
    returned."""
    bad = []
    for kept in on.backups.all(app):
        if condition(kept) is Condition.DAMAGED:
            continue
        say(f"reading {kept.backup.id}")
        if damage := await on.backups.damage(app, kept.backup.id):
            _tell(app, kept.backup.id, "verify", damaged(app, kept.backup.id, damage), on, journal)
            bad.append(kept.backup.id)
    return tuple(bad)


async def _prove(backup: Backup, on: Drivers, journal: Journal, say: Say, identity: Secret | None) -> Proof:
    began, lost_s = on.clock.monotonic(), on.clock.now() - backup.at
    say("comparing checksums")
    await _require_whole(backup, on)
    held: list[Measured] = []
    server, trial = "", None
    for part in backup.parts:
        file = _file(backup, part, on, identity)
        say(f"restoring {part.source or 'the database'}")
        if part.content is not Content.POSTGRES:
            held.append(await _compare_files(file, on))
            continue
        scratch, found = await on.scratches.restore(backup.app, file)
        try:
            if wrong := differences(part, found):
                raise Failure(_differs(backup, wrong))
            held.append(found)
            server = scratch.server
            say("starting the app on it")
            trial = await _try(backup.app, Login(address=scratch.at, password=scratch.password), on, journal)
        finally:
            await on.scratches.drop(scratch)
    return Proof(
        backup=backup.id,
        at=on.clock.now(),
        how="drill",
        server=server,
        restore_s=round(on.clock.monotonic() - began, 3),
        lost_s=round(max(0.0, lost_s), 3),
        tables=sum(len(each.tables) for each in held),
        rows=sum(sum(each.tables.values()) for each in held),
        files=sum(each.files for each in held if not each.tables),
        smoke=trial.says() if trial else "",
    )


async def _try(app: str, through: Login, on: Drivers, journal: Journal) -> Trial | None:
    live = journal.state(app).live_release
    if live is None:
        return None
    trial = await try_release(manifest_of(app, journal), live.release.id, live.release.build_key, through, on)
    if trial and trial.failed:
        raise Failure(_smoke_failed(app, trial.failed.says()))
    return trial


async def _require_whole(backup: Backup, on: Drivers) -> None:
    if damage := await on.backups.damage(backup.app, backup.id):
        raise Failure(damaged(backup.app, backup.id, damage))


async def _compare_files(file: PartFile, on: Drivers) -> Measured:
    found = await on.file_copies.read_through(file)
    if wrong := differences(file.part, found):
        raise Failure(_files_differ(file, wrong))
    return found


def _file(backup: Backup, part: Part, on: Drivers, identity: Secret | None) -> PartFile:
    return on.backups.file(backup.app, backup.id, part.file, identity)


def chosen(app: str, backup_id: str, on: Drivers) -> Kept:
    """The backup with this id, or the newest good one. Raises `Refusal` (`backup.none`, `backup.unknown`)."""
    if backup_id:
        kept = find_backup(app, backup_id, on)
        if kept is None:
            raise Refusal([no_such_backup(app, backup_id)])
        return kept
    good = [kept for kept in on.backups.all(app) if condition(kept) is not Condition.DAMAGED]
    if not good:
        raise Refusal([none_yet(app)])
    return max(good, key=lambda kept: kept.backup.at)


def _tell(app: str, backup_id: str, what: str, problem: Problem, on: Drivers, journal: Journal) -> None:
    """Into the journal with it, and beside the backup when it is the backup that is wrong."""
    journal.record(BackupFailed(app=app, what=what, problem=problem, backup=backup_id))
    if problem.code in ("backup.damaged", "backup.empty", "backup.not-a-dump", "backup.differs"):
        on.backups.note(app, backup_id, damage=problem.why)
        journal.record(BackupFoundDamaged(app=app, backup=backup_id, damage=problem.why))
    raise_alert(app, what, problem, journal)


def none_yet(app: str) -> Problem:
    return Problem(
        code="backup.none",
        where=app,
        why=f"{app} has no good backup",
        remedy="make one",
        command=f"underway db backup {app}",
    )


def _differs(backup: Backup, wrong: tuple[str, ...]) -> Problem:
    return Problem(
        code="backup.differs",
        where=f"{backup.app} {backup.id}",
        why=f"what was restored is not what was backed up: {'; '.join(wrong[:5])}",
        remedy="use another backup, and make a new one now",
        command=f"underway db backup {backup.app}",
    )


def _files_differ(file: PartFile, wrong: tuple[str, ...]) -> Problem:
    return Problem(
        code="backup.differs",
        where=file.path,
        why=f"what was restored is not what was backed up: {'; '.join(wrong[:5])}",
        remedy="use another backup, and make a new one now",
    )


def _smoke_failed(app: str, said: str) -> Problem:
    return Problem(
        code="trial.smoke",
        where=app,
        why=f"the app runs on the restored data and a smoke request fails: {said}",
        remedy="see whether it passes on the live data; if so, the backup lacks what it needs",
        command=f"underway logs {app} --process trial",
    )
