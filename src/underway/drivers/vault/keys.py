"""Who can open vault files: the home's own key, keys and ssh keys laid beside it, and for whom files are closed."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from underway.drivers.whole_file import sync_folder
from underway.terms.home import Home
from underway.terms.problem import Failure, Problem

if TYPE_CHECKING:
    from pyrage import x25519

_OWN = "vault.key"
_PASSPHRASE_FILE = "UNDERWAY_PASSPHRASE_FILE"  # noqa: S105 - the name of the variable that says where it is
_CREDENTIAL = "underway-passphrase"
_SSH_NAMES = ("id_ed25519", "id_rsa")


class Keys:
    """The keys of one home, in its folder `keys` (0700). `environ` tells where the passphrase of a key is, if any."""

    def __init__(self, home: Home, environ: Mapping[str, str] = os.environ) -> None:
        self._folder = home.keys
        self._environ = environ
        self._own: tuple[float, x25519.Identity] | None = None

    def identity(self) -> x25519.Identity:
        """The home's own, made the first time (0600, one for all who ask at that moment).

        Raises `Failure` (`vault.key`).
        """
        path = self._folder / _OWN
        if not path.exists():
            self._make(path)
        try:
            changed = path.stat().st_mtime
            if self._own is None or self._own[0] != changed:
                self._own = (changed, self._read(path))
        except OSError as error:
            raise _no_key(path, error.strerror or "it cannot be read") from error
        return self._own[1]

    def identities(self) -> Sequence[Any]:
        """The home's own key first, then every other that may open a file: `keys/*.key`, and ssh keys of this user."""
        found: list[Any] = [self.identity()]
        others = sorted(path for path in self._folder.glob("*.key") if path.name != _OWN)
        home = self._environ.get("HOME", "")
        ssh = [Path(home) / ".ssh" / name for name in _SSH_NAMES] if home else []
        for path in [*others, *ssh]:
            with contextlib.suppress(OSError, Failure):
                found.append(self._read(path))
        return found

    def recipient(self) -> str:
        """Whom others close a file for so that this home can open it: `age1…`, which is no secret."""
        return str(self.identity().to_public())

    def key(self) -> bytes:
        """32 bytes for fingerprints, made of the own key: whoever has one has the other."""
        return hmac.new(str(self.identity()).encode(), b"underway fingerprints v1", hashlib.sha256).digest()

    def close_up(self, content: bytes) -> str:
        """`content` as text that only this home can open. Raises `Failure` (`vault.key`)."""
        import pyrage

        sealed: bytes = pyrage.encrypt(content, [self.identity().to_public()])
        return base64.b64encode(sealed).decode()

    def open_up(self, text: str) -> bytes:
        """What `close_up` was given. Raises `ValueError` for anything else, `Failure` (`vault.key`)."""
        import pyrage

        try:
            opened: bytes = pyrage.decrypt(base64.b64decode(text, validate=True), [self.identity()])
        except (pyrage.DecryptError, binascii.Error) as error:
            raise ValueError(f"it cannot be opened: {error}") from None
        return opened

    def _make(self, path: Path) -> None:
        from pyrage import x25519

        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(descriptor, "w") as stream:
                stream.write(f"{x25519.Identity.generate()}\n")
                stream.flush()
                os.fsync(stream.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)  # fails when another process was first: there is one key for all
        finally:
            fresh.unlink(missing_ok=True)
        sync_folder(self._folder)

    def _read(self, path: Path) -> Any:
        """An age identity (maybe behind a passphrase) or an ssh private key. Raises `OSError` or `Failure`."""
        import pyrage

        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(64_000)
        if stat.S_IMODE(mode) & 0o077:
            raise _no_key(path, "others may read it", f"chmod 600 {path}")
        if text.startswith((b"age-encryption.org/", b"-----BEGIN AGE ENCRYPTED FILE")):
            try:
                text = pyrage.passphrase.decrypt(text, self._passphrase(path))
            except pyrage.DecryptError:
                raise _no_key(path, "the passphrase does not open it") from None
        for line in text.decode(errors="replace").splitlines():
            if line.startswith("AGE-SECRET-KEY-1"):
                return pyrage.x25519.Identity.from_str(line.strip())
        try:
            return pyrage.ssh.Identity.from_buffer(text)
        except pyrage.IdentityError:
            raise _no_key(path, "it is neither an age key nor an ssh key without passphrase") from None

    def _passphrase(self, path: Path) -> str:
        credentials = self._environ.get("CREDENTIALS_DIRECTORY", "")  # systemd.exec(5), LoadCredential=
        named = self._environ.get(_PASSPHRASE_FILE) or (f"{credentials}/{_CREDENTIAL}" if credentials else "")
        if not named:
            raise _no_key(
                path,
                "it is behind a passphrase, and nothing says where that is",
                f"export {_PASSPHRASE_FILE}=/run/secrets/underway-passphrase",
            )
        return Path(named).read_text().rstrip("\n")


def read_recipients(lines: Sequence[str], where: str) -> list[Any]:
    """Public keys, `age1…` or `ssh-…`, one a line; `#` begins a comment. Raises `Failure` (`vault.recipient`)."""
    import pyrage

    found: list[Any] = []
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
        try:
            found.append(kind.from_str(text))
        except pyrage.RecipientError:
            raise Failure(
                Problem(
                    code="vault.recipient",
                    where=f"{where}:{number}",
                    why="it is no public key",
                    remedy="write one age1… or ssh-ed25519 … per line; a private key never stands here",
                    command="underway status",
                )
            ) from None
    return found


def _no_key(path: Path, why: str, command: str = "") -> Failure:
    return Failure(
        Problem(
            code="vault.key",
            where=str(path),
            why=f"the key of the vault cannot be used: {why}",
            remedy="put the key back as it was; without it no value of the vault can be read",
            command=command or f"ls -l {path}",
        )
    )
