"""The vault: one value for everybody who asks, private, and never lost to a crash."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import stat
import string
import subprocess
import sys
import tempfile
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pyrage
import pytest

from underway.drivers.vault.age import AgeVault
from underway.drivers.vault.keys import Keys
from underway.ports.vault import VaultChange
from underway.terms.environment import Kept
from underway.terms.home import Home
from underway.terms.problem import Failure, Refusal
from underway.terms.secret import Secret


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


@pytest.fixture
def vault(home: Home) -> AgeVault:
    return AgeVault(home)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        ("hex", r"[0-9a-f]{64}"),
        ("urlsafe", r"[A-Za-z0-9_-]{43}"),
        ("password", r"[A-Za-z0-9]{24}"),
        ("django", r"[a-z0-9!@#$%^&*(\-_=+)]{50}"),
        ("fernet", r"[A-Za-z0-9_-]{43}="),
        ("ed25519", r"-----BEGIN PRIVATE KEY-----\n[A-Za-z0-9+/=\n]+-----END PRIVATE KEY-----\n"),
    ],
)
def test_each_kind_has_its_form_and_every_value_is_new(vault: AgeVault, kind: str, form: str) -> None:
    made = [vault.ensure("shop", f"NAME_{n}", kind).reveal() for n in range(20)]
    assert all(re.fullmatch(form, value) for value in made)
    assert len(set(made)) == 20


def test_passwords_draw_from_the_whole_alphabet(vault: AgeVault) -> None:
    seen = "".join(vault.ensure("shop", f"NAME_{n}", "password").reveal() for n in range(100))
    assert set(seen) == set(string.ascii_letters + string.digits)


def test_an_unknown_kind_is_a_mistake_of_the_caller(vault: AgeVault, home: Home) -> None:
    with pytest.raises(ValueError, match="rot13"):
        vault.ensure("shop", "KEY", "rot13")
    assert not home.vault("shop").exists()


def test_a_value_stays(vault: AgeVault, home: Home) -> None:
    first = vault.ensure("shop", "KEY", "hex")
    assert vault.ensure("shop", "KEY", "hex") == first
    assert AgeVault(home).ensure("shop", "KEY", "django") == first
    assert dict(AgeVault(home).values("shop")) == {"KEY": first}


def test_apps_have_vaults_of_their_own(vault: AgeVault) -> None:
    assert vault.ensure("shop", "KEY", "hex") != vault.ensure("blog", "KEY", "hex")
    vault.drop("shop")
    vault.drop("shop")
    assert dict(vault.values("shop")) == {}
    assert list(vault.values("blog")) == ["KEY"]


def test_values_do_not_print(vault: AgeVault) -> None:
    secret = vault.ensure("shop", "KEY", "hex")
    assert secret.reveal() not in f"{vault.values('shop')} {secret!r} {vault!r}"


def test_only_the_owner_reads_it(vault: AgeVault, home: Home) -> None:
    before = os.umask(0)
    try:
        vault.ensure("shop", "KEY", "hex")
    finally:
        os.umask(before)
    for folder, names in ((home.vault("shop"), {"own.age", ".lock"}), (home.keys, {"vault.key"})):
        assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == dict.fromkeys(
            names, 0o600
        )
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def _ask(root: str, together: Barrier, answers: multiprocessing.Queue[str]) -> None:
    together.wait()
    answers.put(AgeVault(Home(Path(root))).ensure("shop", "KEY", "hex").reveal())


def test_twenty_processes_at_once_get_one_value(home: Home) -> None:
    context = multiprocessing.get_context("fork")
    together, answers = context.Barrier(20), context.Queue()
    processes = [context.Process(target=_ask, args=(str(home.root), together, answers)) for _ in range(20)]
    for process in processes:
        process.start()
    got = {answers.get(timeout=30) for _ in processes}
    for process in processes:
        process.join()
    assert got == {AgeVault(home).values("shop")["KEY"].reveal()}


def test_a_writer_killed_at_any_moment_loses_nothing(home: Home) -> None:
    writer = (
        "import sys; from pathlib import Path\n"
        "from underway.drivers.vault.age import AgeVault\n"
        "from underway.terms.home import Home\n"
        "vault = AgeVault(Home(Path(sys.argv[1])))\n"
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
        kept = {name: secret.reveal() for name, secret in AgeVault(home).values("shop").items()}
        assert told.items() <= kept.items()
    assert len(told) > 30


def test_a_full_disk_keeps_what_was_there(vault: AgeVault, home: Home) -> None:
    first = vault.ensure("shop", "KEY", "hex")
    limit = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from underway.drivers.vault.age import AgeVault\n"
        "from underway.terms.home import Home\n"
        "from underway.terms.problem import Failure\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40))\n"
        "try: AgeVault(Home(Path(sys.argv[1]))).ensure('shop', 'OTHER', 'hex')\n"
        "except Failure as failure: print(failure.problem.code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", limit, str(home.root)], capture_output=True, text=True, check=True)
    assert ended.stdout == "vault.unwritable\n"
    assert dict(vault.values("shop")) == {"KEY": first}
    assert sorted(os.listdir(home.vault("shop"))) == [".lock", "own.age"]


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\x00", "half", "flipped", "foreign"])
def test_a_damaged_vault_is_said_and_not_begun_anew(
    vault: AgeVault, home: Home, tmp_path_factory: pytest.TempPathFactory, damage: bytes | str
) -> None:
    vault.ensure("shop", "KEY", "hex")
    path = home.vault("shop") / "own.age"
    content = path.read_bytes()
    if damage == "half":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content = content[:-1] + bytes([content[-1] ^ 1])
    elif damage == "foreign":
        elsewhere = Home(tmp_path_factory.mktemp("other"))
        AgeVault(elsewhere).ensure("shop", "KEY", "hex")
        content = (elsewhere.vault("shop") / "own.age").read_bytes()
    else:
        assert isinstance(damage, bytes)
        content = damage
    path.write_bytes(content)
    for act in (lambda: vault.values("shop"), lambda: vault.ensure("shop", "KEY", "hex")):
        with pytest.raises(Failure) as failed:
            act()
        assert failed.value.problem.code == "vault.unreadable"
        assert failed.value.problem.where == str(path)
    assert path.read_bytes() == content


def test_a_lost_key_is_said_and_the_values_are_left_alone(vault: AgeVault, home: Home) -> None:
    vault.ensure("shop", "KEY", "hex")
    kept = (home.vault("shop") / "own.age").read_bytes()
    (home.keys / "vault.key").rename(home.keys / "elsewhere")
    for act in (lambda: vault.values("shop"), lambda: vault.put("shop", "OTHER", Secret("x"))):
        with pytest.raises(Failure) as failed:
            act()
        assert failed.value.problem.code == "vault.unreadable"
    assert (home.vault("shop") / "own.age").read_bytes() == kept
    (home.keys / "vault.key").unlink()
    (home.keys / "elsewhere").rename(home.keys / "vault.key")
    assert list(vault.values("shop")) == ["KEY"]


def test_no_value_stands_in_the_clear_in_any_file(vault: AgeVault, home: Home) -> None:
    vault.put("shop", "KEY", Secret("canary-in-the-vault"))
    vault.change("shop", "production", VaultChange(put={"KEY": Kept(value=Secret("canary-in-a-layer"))}))
    files = [path for path in home.root.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not any(b"canary" in path.read_bytes() for path in files)


def test_layers_are_apart_and_keep_what_is_known_of_a_value(vault: AgeVault) -> None:
    kept = Kept(value=Secret("new"), set_at=1.5, set_by="ann", expires_at=9.0, former=(Secret("old"), Secret("older")))
    vault.change("shop", "production", VaultChange(put={"KEY": kept, "OTHER": Kept(value=Secret("x"))}))
    vault.change("shop", "staging", VaultChange(put={"KEY": Kept(value=Secret("staged"))}))
    vault.change("shop", "production", VaultChange(remove=("OTHER", "never-there")))
    assert dict(vault.kept("shop", "production")) == {"KEY": kept}
    assert vault.values("shop", "staging")["KEY"].reveal() == "staged"
    assert vault.layers("shop") == ("production", "staging")
    assert dict(vault.values("shop")) == {}


def test_values_kept_in_the_clear_before_are_taken_over_and_removed(vault: AgeVault, home: Home) -> None:
    first = home.app("shop") / "vault.json"
    first.parent.mkdir(parents=True)
    first.write_text('{"version": 1, "values": {"KEY": "canary-of-old"}}')
    assert vault.values("shop")["KEY"].reveal() == "canary-of-old"
    vault.put("shop", "OTHER", Secret("x"))
    assert not first.exists()
    assert {name: secret.reveal() for name, secret in vault.values("shop").items()} == {
        "KEY": "canary-of-old",
        "OTHER": "x",
    }


def _set(root: str, together: Barrier, number: int) -> None:
    together.wait()
    for turn in range(3):
        change = VaultChange(put={f"NAME_{number}_{turn}": Kept(value=Secret(f"value {number} {turn}"))})
        AgeVault(Home(Path(root))).change("shop", "production", change)


def test_of_twenty_processes_that_set_at_once_none_is_lost(home: Home) -> None:
    context = multiprocessing.get_context("fork")
    together = context.Barrier(20)
    processes = [context.Process(target=_set, args=(str(home.root), together, n)) for n in range(20)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    kept = {name: secret.reveal() for name, secret in AgeVault(home).values("shop", "production").items()}
    assert kept == {f"NAME_{n}_{turn}": f"value {n} {turn}" for n in range(20) for turn in range(3)}


def test_a_key_behind_a_passphrase_opens_with_the_file_that_holds_it(home: Home, tmp_path: Path) -> None:
    AgeVault(home).ensure("shop", "KEY", "hex")
    key = home.keys / "vault.key"
    key.write_bytes(pyrage.passphrase.encrypt(key.read_bytes(), "correct horse"))
    (tmp_path / "pass").write_text("correct horse\n")
    (tmp_path / "wrong").write_text("battery\n")
    environ = {"UNDERWAY_PASSPHRASE_FILE": str(tmp_path / "pass")}
    assert list(AgeVault(home, Keys(home, environ)).values("shop")) == ["KEY"]
    for no_good in ({}, {"UNDERWAY_PASSPHRASE_FILE": str(tmp_path / "wrong")}):
        with pytest.raises(Failure) as failed:
            AgeVault(home, Keys(home, no_good)).values("shop")
        assert failed.value.problem.code == "vault.key"


@pytest.mark.parametrize("layer", ["", "..", "../x", "a/b", "A", "staging.age"])
def test_no_name_but_an_environments_becomes_a_layer(vault: AgeVault, layer: str) -> None:
    with pytest.raises(Refusal):
        vault.values("shop", layer)


@pytest.mark.parametrize("name", ["", "..", "../shop", "a/b", "A"])
def test_no_name_but_an_apps_becomes_a_path(vault: AgeVault, name: str) -> None:
    with pytest.raises(Refusal):
        vault.values(name)


def test_a_committed_file_opens_for_each_recipient_and_for_nobody_else(home: Home, tmp_path: Path) -> None:
    """Another home by its age key, a colleague by an ssh key; a third home by neither."""
    with tempfile.TemporaryDirectory() as folder:
        ann, eve = Path(folder) / "ann", Path(folder) / "eve"
        (ann / ".ssh").mkdir(parents=True)
        keys = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(ann / ".ssh/id_ed25519")]
        if shutil.which("ssh-keygen") is None:
            pytest.skip("needs ssh-keygen")
        subprocess.run(keys, check=True)
        other = AgeVault(Home(Path(folder) / "other"))
        recipients = f"# who may open it\n{other.recipient()}\n{(ann / '.ssh/id_ed25519.pub').read_text()}"
        file = tmp_path / "env" / "production.age"
        change = VaultChange(put={"KEY": Kept(value=Secret("canary-for-several"))})
        AgeVault(home).change_file(str(file), recipients, change)
        text = file.read_text()
        assert "canary" not in text
        of_ann = Home(Path(folder) / "of-ann")
        for vault in (AgeVault(home), other, AgeVault(of_ann, Keys(of_ann, {"HOME": str(ann)}))):
            assert vault.file_kept(text, "env/production.age")["KEY"].value.reveal() == "canary-for-several"
        of_eve = Home(eve)
        with pytest.raises(Failure) as failed:
            AgeVault(of_eve, Keys(of_eve, {"HOME": str(eve)})).file_kept(text, "env/production.age")
        assert failed.value.problem.code == "vault.unreadable"
