"""The vault: one value for everybody who asks, private, and never lost to a crash."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import stat
import string
import subprocess
import sys
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from underway.drivers.vault.file import FileVault
from underway.terms.home import Home
from underway.terms.problem import Failure, Refusal


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def vault(home: Home) -> FileVault:
    return FileVault(home)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("hex", r"[0-9a-f]{64}"),
        ("urlsafe", r"[A-Za-z0-9_-]{43}"),
        ("password", r"[A-Za-z0-9]{24}"),
        ("django", r"[a-z0-9!@#$%^&*(\-_=+)]{50}"),
    ],
)
def test_each_kind_has_its_form_and_every_value_is_new(vault: FileVault, kind: str, form: str) -> None:
    made = [vault.ensure("shop", f"NAME_{n}", kind).reveal() for n in range(20)]
    assert all(re.fullmatch(form, value) for value in made)
    assert len(set(made)) == 20


def test_passwords_draw_from_the_whole_alphabet(vault: FileVault) -> None:
    seen = "".join(vault.ensure("shop", f"NAME_{n}", "password").reveal() for n in range(100))
    assert set(seen) == set(string.ascii_letters + string.digits)


def test_an_unknown_kind_is_a_mistake_of_the_caller(vault: FileVault, home: Home) -> None:
    with pytest.raises(ValueError, match="rot13"):
        vault.ensure("shop", "KEY", "rot13")
    assert not home.vault("shop").exists()


def test_a_value_stays(vault: FileVault, home: Home) -> None:
    first = vault.ensure("shop", "KEY", "hex")
    assert vault.ensure("shop", "KEY", "hex") == first
    assert FileVault(home).ensure("shop", "KEY", "django") == first
    assert dict(FileVault(home).values("shop")) == {"KEY": first}


def test_apps_have_vaults_of_their_own(vault: FileVault) -> None:
    assert vault.ensure("shop", "KEY", "hex") != vault.ensure("blog", "KEY", "hex")
    vault.drop("shop")
    vault.drop("shop")
    assert dict(vault.values("shop")) == {}
    assert list(vault.values("blog")) == ["KEY"]


def test_values_do_not_print(vault: FileVault) -> None:
    secret = vault.ensure("shop", "KEY", "hex")
    assert secret.reveal() not in f"{vault.values('shop')} {secret!r} {vault!r}"


def test_only_the_owner_reads_it(vault: FileVault, home: Home) -> None:
    before = os.umask(0)
    try:
        vault.ensure("shop", "KEY", "hex")
    finally:
        os.umask(before)
    folder = home.vault("shop").parent
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "vault.json": 0o600,
        ".vault.json.lock": 0o600,
    }
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def _ask(root: str, together: Barrier, answers: multiprocessing.Queue[str]) -> None:
    together.wait()
    answers.put(FileVault(Home(Path(root))).ensure("shop", "KEY", "hex").reveal())


def test_twenty_processes_at_once_get_one_value(home: Home) -> None:
    context = multiprocessing.get_context("fork")
    together, answers = context.Barrier(20), context.Queue()
    processes = [context.Process(target=_ask, args=(str(home.root), together, answers)) for _ in range(20)]
    for process in processes:
        process.start()
    got = {answers.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()
    assert got == {FileVault(home).values("shop")["KEY"].reveal()}


def test_a_writer_killed_at_any_moment_loses_nothing(home: Home) -> None:
    writer = (
        "import sys; from pathlib import Path\n"
        "from underway.drivers.vault.file import FileVault\n"
        "from underway.terms.home import Home\n"
        "vault = FileVault(Home(Path(sys.argv[1])))\n"
        "for n in range(1000000):\n"
        "    name = f'{sys.argv[2]}_{n}'; print(name, vault.ensure('shop', name, 'hex').reveal(), flush=True)\n"
    )
    told: dict[str, str] = {}
    for life in range(4):
        command = [sys.executable, "-c", writer, str(home.root), f"L{life}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for count, line in enumerate(process.stdout):
                if line.endswith("\n"):
                    name, value = line.split()
                    told[name] = value
                if count == 5 + life * 3:
                    process.send_signal(signal.SIGKILL)
        kept = {name: secret.reveal() for name, secret in FileVault(home).values("shop").items()}
        assert told.items() <= kept.items()
    assert len(told) > 30


def test_a_full_disk_keeps_what_was_there(vault: FileVault, home: Home) -> None:
    first = vault.ensure("shop", "KEY", "hex")
    limit = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from underway.drivers.vault.file import FileVault\n"
        "from underway.terms.home import Home\n"
        "from underway.terms.problem import Failure\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "try: FileVault(Home(Path(sys.argv[1]))).ensure('shop', 'OTHER', 'hex')\n"
        "except Failure as failure: print(failure.problem.code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", limit, str(home.root)], capture_output=True, text=True, check=True)
    assert ended.stdout == "vault.unwritable\n"
    assert dict(vault.values("shop")) == {"KEY": first}
    assert sorted(os.listdir(home.vault("shop").parent)) == [".vault.json.lock", "vault.json"]


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version":1,"values":{"KEY":7}}', b'{"version":2,"values":{}}', b"\xff\x00", b"[]"]
)
def test_a_damaged_vault_is_said_and_not_begun_anew(vault: FileVault, home: Home, content: bytes) -> None:
    vault.ensure("shop", "KEY", "hex")
    home.vault("shop").write_bytes(content)
    for act in (lambda: vault.values("shop"), lambda: vault.ensure("shop", "KEY", "hex")):
        with pytest.raises(Failure) as failed:
            act()
        assert failed.value.problem.code == "vault.unreadable"
        assert failed.value.problem.where == str(home.vault("shop"))
    assert home.vault("shop").read_bytes() == content


@pytest.mark.parametrize("name", ["", "..", "../shop", "a/b", "A"])
def test_no_name_but_an_apps_becomes_a_path(vault: FileVault, name: str) -> None:
    with pytest.raises(Refusal):
        vault.values(name)
