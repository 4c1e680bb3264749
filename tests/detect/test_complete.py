"""What a deploy uses: the file's own tables as they are written, the rest from the repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from underway.detect import Machine, complete, detect, init_text
from underway.detect.stand_ins import stood_in
from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Manifest
from underway.manifest.read import read_manifest
from underway.terms.problem import Problem, Refusal
from underway.terms.tree import Tree

Plant = Callable[[Mapping[str, str]], Tree]
MACHINE = Machine(cpus=2, pythons=("3.12",), node_version="20.19")
APP = {
    "main.py": "import os\nfrom fastapi import FastAPI\napp = FastAPI()\n"
    "HOSTS = os.environ['ALLOWED_HOSTS'].split(',')\n",
    "requirements.txt": "fastapi\nuvicorn\n",
}
ASKING = {**APP, "pay.py": "import os\nKEY = os.environ['STRIPE_API_KEY']\n"}


def refused(tree: Tree, text: str | None) -> tuple[Problem, ...]:
    with pytest.raises(Refusal) as raised:
        complete(tree, MACHINE, text)
    return raised.value.problems


def test_without_a_file_it_is_what_init_would_write(plant: Plant) -> None:
    tree = plant({**APP, "main.py": "from fastapi import FastAPI\napp = FastAPI()\n"})
    manifest, claims = complete(tree, MACHINE, None)
    assert manifest == read_manifest(init_text(detect(tree, machine=MACHINE)))
    assert claims


def test_words_of_the_environment_are_replaced(plant: Plant) -> None:
    text = 'domains = ["shop.example.com"]\n'
    manifest, _ = complete(plant(APP), MACHINE, text, http_port=9000)
    assert manifest.env["ALLOWED_HOSTS"].value == "shop.example.com,shop.localhost,localhost,127.0.0.1"


def test_a_table_of_the_file_is_used_as_it_is_and_the_others_are_filled(plant: Plant) -> None:
    manifest, _ = complete(plant(APP), MACHINE, '[release]\nstrategy = "instant"\n')
    assert manifest.app == "shop"
    assert manifest.release.strategy == "instant"
    assert "web" in manifest.processes
    own, claims = complete(plant(APP), MACHINE, '[processes.web]\ncommand = "./serve"\n[env]\n')
    assert {name: p.command for name, p in own.processes.items()} == {"web": "./serve"}
    assert own.env == {}
    assert not [c for c in claims if c.about in ("server", "host", "env")]


def test_init_changes_nothing_on_its_own_result(plant: Plant) -> None:
    tree = plant(ASKING)
    text = init_text(detect(tree, machine=MACHINE))
    again = plant({**ASKING, "underway.toml": text})
    assert init_text(detect(again, machine=MACHINE)) == text


def test_every_guess_has_its_evidence_above_it(plant: Plant) -> None:
    lines = init_text(detect(plant(APP), machine=MACHINE)).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("ALLOWED_HOSTS"))
    assert lines[at - 1].endswith("(main.py:4)")
    at = lines.index("[build.python]")
    assert "requirements.txt" in lines[at - 1]


def test_the_callers_name_wins(plant: Plant) -> None:
    manifest, _ = complete(plant(APP), MACHINE, 'app = "other"\n', name="mine")
    assert manifest.app == "mine"
    assert "mine.localhost" in manifest.env["ALLOWED_HOSTS"].value


def test_what_is_missing_is_asked_for_until_it_is_given(plant: Plant) -> None:
    tree = plant(ASKING)
    (problem,) = refused(tree, None)
    assert (problem.code, problem.where) == ("detect.env-missing", "pay.py:2")
    complete(tree, MACHINE, None, given=lambda app: {"STRIPE_API_KEY"} if app == "shop" else ())
    complete(tree, MACHINE, '[env]\nALLOWED_HOSTS = "*"\nSTRIPE_API_KEY = "sk_1"\n')


def test_what_the_file_requires_is_asked_for(plant: Plant) -> None:
    (problem,) = refused(plant(APP), "[env]\nOTHER = {required = true}\n")
    assert "OTHER" in problem.why


def test_a_file_may_describe_what_detection_cannot(plant: Plant) -> None:
    tree = plant({"serve.sh": "#!/bin/sh\n"})
    assert refused(tree, None)[0].code == "detect.no-app"
    assert refused(tree, '[release]\nwatch = "1s"\n')[0].code == "detect.no-app"
    manifest, claims = complete(tree, MACHINE, '[processes.web]\ncommand = "./serve.sh"\n')
    assert manifest.app == "shop"
    assert claims == ()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('tls = "auto"\n', "manifest.conflict"),
        ("[processes]\nworker = 'x'\n", "manifest.nothing-to-run"),
        ("[env]\nDB_HOST = 'x'\n[services.postgres]\nenv = {DB_HOST = 'host'}\n", "manifest.conflict"),
        ("release = 3\n", "manifest.type"),
    ],
)
def test_what_does_not_fit_together_is_refused(plant: Plant, text: str, code: str) -> None:
    problems = refused(plant({**APP, "main.py": "from fastapi import FastAPI\napp = FastAPI()\n"}), text)
    assert [p.code for p in problems] == [code]
    assert problems[0].where.startswith("underway.toml:")


def test_the_manifest_of_every_draft_reads_back(plant: Plant) -> None:
    detection = detect(plant(ASKING), machine=MACHINE)
    assert isinstance(detection.manifest, Manifest)
    assert read_manifest(init_text(detection)) == detection.manifest


def test_an_answer_alone_is_added_to_what_was_detected(plant: Plant) -> None:
    manifest, claims = complete(plant(ASKING), MACHINE, 'manifest = 1\n[env]\nSTRIPE_API_KEY = "sk_1"\n')
    assert manifest.env["STRIPE_API_KEY"].value == "sk_1"
    assert "shop.localhost" in manifest.env["ALLOWED_HOSTS"].value
    assert [c for c in claims if c.about == "host"]


def test_something_stands_in_for_what_is_missing(plant: Plant) -> None:
    manifest, claims = complete(plant(ASKING), MACHINE, None, allow_missing=True)
    assert manifest.env["STRIPE_API_KEY"] == EnvVar(generate="urlsafe", secret=True), "nobody can guess it"
    assert "ALLOWED_HOSTS" in manifest.env
    assert any("STRIPE_API_KEY is made up until you set it" in claim.says for claim in claims)


@pytest.mark.parametrize(
    ("name", "variable", "there"),
    [
        ("STRIPE_WEBHOOK_SECRET", EnvVar(required=True, secret=True), EnvVar(generate="urlsafe", secret=True)),
        ("ADMIN_PASSWORD", EnvVar(required=True), EnvVar(generate="urlsafe", secret=True)),
        ("SENTRY_DSN", EnvVar(required=True, secret=True), EnvVar()),
        ("PAYMENT_SUCCESS_URL", EnvVar(required=True), EnvVar(value="http://shop.localhost:8080")),
        ("AWS_S3_ENDPOINT_URL", EnvVar(required=True), EnvVar(value="http://127.0.0.1:9")),
        ("EMAIL_HOST", EnvVar(required=True), EnvVar(value="127.0.0.1")),
        ("TWILIO_RETRIES", EnvVar(required=True, type="float"), EnvVar(value="0")),
        ("AWS_STORAGE_BUCKET_NAME", EnvVar(required=True), EnvVar(value="unset")),
        ("MYSQL_HOST", EnvVar(required=True, secret=True), None),
    ],
)
def test_what_stands_in_is_of_the_shape_its_name_says(name: str, variable: EnvVar, there: EnvVar | None) -> None:
    manifest, _ = stood_in(Manifest(app="shop", env={name: variable}), [name], 8080)
    assert manifest.env.get(name) == there
