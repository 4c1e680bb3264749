"""A file is read whole, or refused with every problem located."""

from __future__ import annotations

import pytest

from underway.manifest.env_keys import EnvVar
from underway.manifest.model import Process
from underway.manifest.read import read_manifest
from underway.manifest.reference import EXAMPLE
from underway.terms.problem import Problem, Refusal


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(Refusal) as refused:
        read_manifest(text)
    return refused.value.problems


def only(text: str) -> Problem:
    (problem,) = problems_of(text)
    return problem


def test_the_smallest_manifest_has_every_default() -> None:
    manifest = read_manifest('app = "shop"')
    assert manifest.app == "shop"
    assert manifest.release.limits.error_rate == 0.05
    assert manifest.release.limits.p95_ms == 500.0
    assert manifest.release.limits.memory_bytes == 10**9
    assert manifest.health.timeout_s == 60.0
    assert manifest.services.postgres is None


def test_the_example_says_what_it_looks_like() -> None:
    manifest = read_manifest(EXAMPLE)
    assert manifest.processes["web"].instances == 2
    assert manifest.processes["web"].memory_bytes == 512_000_000
    assert manifest.processes["worker"] == Process(command="python -m app.worker", cwd="backend")
    assert manifest.services.postgres is not None
    assert manifest.services.postgres.env == {"POSTGRES_SERVER": "host", "POSTGRES_PORT": "port"}
    assert manifest.services.redis is not None
    key = manifest.env["SECRET_KEY"]
    assert key == EnvVar(generate="urlsafe", rotates_s=90 * 86_400.0, previous="SECRET_KEY_FALLBACKS")
    assert manifest.environments["staging"].env == {"LOG_LEVEL": "debug"}
    assert manifest.health.timeout_s == 120.0


def test_short_forms_stand_for_their_key() -> None:
    manifest = read_manifest(
        'app = "a"\nhealth = "/up"\nstatic = "dist"\nmigrate = "alembic upgrade head"\n'
        '[processes]\nweb = "serve"\n[services]\npostgres = "postgres://u:p@h/d"\nredis = false\n[env]\nA = "1"\n'
    )
    assert manifest.health.path == "/up"
    assert manifest.static is not None
    assert manifest.static.dir == "dist"
    assert manifest.migrate is not None
    assert manifest.migrate.command == "alembic upgrade head"
    assert manifest.processes["web"].command == "serve"
    assert manifest.services.postgres is not None
    assert manifest.services.postgres.url == "postgres://u:p@h/d"
    assert manifest.services.redis is None
    assert manifest.env["A"].value == "1"


def test_all_problems_come_at_once_each_with_its_line() -> None:
    found = problems_of(
        "\n".join(
            [
                'app = "Shop!"',  # 1
                'domain = ["a.example.com"]',  # 2
                "[processes.web]",  # 3
                "comand = 'x'",  # 4
                "[release]",  # 5
                "steps = [50, 5]",  # 6
                "[release.limits]",  # 7
                "p95 = 500",  # 8
                'error_rate = "101%"',  # 9
            ]
        )
    )
    assert [(p.where, p.code) for p in found] == [
        ("underway.toml:1 app", "manifest.value"),
        ("underway.toml:2 domain", "manifest.unknown-key"),
        ("underway.toml:3 processes.web", "manifest.missing"),
        ("underway.toml:4 processes.web.comand", "manifest.unknown-key"),
        ("underway.toml:6 release.steps", "manifest.value"),
        ("underway.toml:8 release.limits.p95", "manifest.type"),
        ("underway.toml:9 release.limits.error_rate", "manifest.value"),
    ]
    assert found[1].remedy == 'did you mean "domains"?'
    assert found[3].remedy == 'did you mean "command"?'
    assert '"500s"' in found[5].remedy


def test_an_entry_of_a_list_over_several_lines_is_located() -> None:
    problem = only('app = "a"\nshared = [\n  # uploads\n  "uploads",\n  "../secrets",\n]\n')
    assert problem.where == "underway.toml:5 shared[1]"


def test_a_key_of_an_inline_table_is_located() -> None:
    problem = only('app = "a"\n\n[env]\nA = "x"\nB = {generat = "hex"}\n')
    assert problem.where == "underway.toml:5 env.B.generat"


def test_the_file_is_named_as_the_caller_says() -> None:
    with pytest.raises(Refusal) as refused:
        read_manifest("app = 1", file="shop/underway.toml")
    assert refused.value.problems[0].where == "shop/underway.toml:1 app"


def test_another_version_is_refused_for_that_alone() -> None:
    problem = only('manifest = 2\nfoo = 1\napp = "a"')
    assert (problem.code, problem.where) == ("manifest.version", "underway.toml:1 manifest")


@pytest.mark.parametrize(
    ("line", "path", "in_remedy"),
    [
        ('domains = ["https://a.example.com"]', "domains[0]", "only the name"),
        ('domains = ["A.example.com"]', "domains[0]", "a.example.com"),
        ('domains = ["a.example.com:443"]', "domains[0]", "only the host name"),
        ('domains = ["*.example.com"]', "domains[0]", "only the name"),
        ('domains = ["10.0.0.1"]', "domains[0]", "host name"),
        ('domains = ["münchen.example"]', "domains[0]", "xn--mnchen-3ya.example"),
        ('domains = ["a.b", "a.b"]', "domains", "once"),
        ('shared = ["/etc"]', "shared[0]", "relative"),
        ('shared = ["."]', "shared[0]", "uploads"),
        ('shared = ["backend/.venv/x"]', "shared[0]", "a folder the app writes to"),
        ('shared = ["a", "a/b"]', "shared", "a alone"),
        ("release.steps = [5, 100]", "release.steps[1]", "0 to 99"),
        ('release.strategy = "canari"', "release.strategy", "canary"),
        ('release.limits.memory = "1"', "release.limits.memory", '"512MB"'),
        ("release.limits.memory = 1_000", "release.limits.memory", '"512MB"'),
        ("release.limits.error_rate = 5", "release.limits.error_rate", '"5%"'),
        ('release.watch = "5 parsecs"', "release.watch", "10m"),
        ('release.watch = "8d"', "release.watch", "7d"),
        ("release.keep = 1", "release.keep", "2"),
        ('health.path = "health"', "health.path", "/health"),
        ('health.path = "http://x/health"', "health.path", "/health"),
        ('health.status = "ok"', "health.status", "200-299"),
        ('health = {successes = 10, interval = "10s", timeout = "10s"}', "health.timeout", "181s"),
        ('processes.Web = "x"', "processes.Web", "lower-case"),
        ('processes.web.command = "a\\nb"', "processes.web.command", "one line"),
        ('processes.web.command = "a\\u0000b"', "processes.web.command", "remove"),
        ('processes.web.command = "  "', "processes.web.command", "shell line"),
        ('processes.web = {command = "x", cwd = "../y"}', "processes.web.cwd", "without .."),
        ('processes.web = {command = "x", instances = 0}', "processes.web.instances", "1 to 64"),
        ('processes.web = {command = "x", cpus = nan}', "processes.web.cpus", "0 to 1024"),
        ('build.python = {manager = "conda"}', "build.python.manager", '"uv"'),
        ('build.python = {manager = "uv", version = "3.12.1"}', "build.python.version", "3.12"),
        ('build.python = {manager = "uv", requirements = ["r.txt"]}', "build.python.requirements", "lock"),
        ('build.python = {manager = "uv", extra = ["--index-url x"]}', "build.python.extra[0]", "gunicorn"),
        ('services.postgres = "mysql://x/y"', "services.postgres", "postgresql://"),
        ('services.postgres = {env = {DB_HOST = "hst"}}', "services.postgres.env.DB_HOST", "host"),
        ("services.mysql = true", "services.mysql", "postgres"),
        ('env."A-B" = "x"', "env.A-B", "letters"),
        ('env.PORT = "80"', "env.PORT", "$PORT"),
        ("env.A = 1", "env.A", "text"),
        ('env.A = {value = "x", generate = "hex"}', "env.A.generate", "one of"),
        ("build = 3", "build", "[build]"),
        ('processes = "web"', "processes", "[processes]"),
        ("env = []", "env", "[env]"),
    ],
)
def test_a_wrong_value_is_located_and_its_remedy_says_what_to_write(line: str, path: str, in_remedy: str) -> None:
    problem = only(f'app = "a"\n{line}\n')
    assert problem.where.split(" ", 1) == ["underway.toml:2", path]
    assert in_remedy in problem.remedy
    assert problem.why


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../../x", "~/x", "C:/x", "a\\b", "a//b", ".git/config"],
)
def test_no_path_leaves_the_tree(path: str) -> None:
    toml = path.replace("\\", "\\\\")
    assert only(f'app = "a"\nstatic = "{toml}"').where == "underway.toml:2 static"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("250ms", 0.25), ("30s", 30.0), ("10m", 600.0), ("1h30m", 5400.0), ("1.5m", 90.0), ("2d", 172800.0), ("0s", 0.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert read_manifest(f'app = "a"\nrelease.keep_warm = "{text}"').release.keep_warm_s == seconds


@pytest.mark.parametrize(
    ("text", "size"), [("1GB", 10**9), ("512 MB", 512 * 10**6), ("1.5GiB", 3 * 2**29), ("none", 0), ("64mib", 2**26)]
)
def test_sizes(text: str, size: int) -> None:
    manifest = read_manifest(f'app = "a"\nprocesses.web = {{command = "x", memory = "{text}"}}')
    assert manifest.processes["web"].memory_bytes == size


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("app = ", "manifest.syntax"),
        ("app = 'a'\napp = 'b'", "manifest.syntax"),
        ("\0", "manifest.syntax"),
        ("a = " + "[" * 100_000, "manifest.syntax"),
        ("a = " + "{a = " * 100_000, "manifest.syntax"),
        ("a = " + "9" * 10_000, "manifest.syntax"),
        ("a" + ".a" * 200_000 + " = 1", "manifest.syntax"),
        ("a = 2024-13-45", "manifest.syntax"),
        ("# \ud800", "manifest.encoding"),
        ("#" * (1 << 20) + "##", "manifest.too-large"),
    ],
)
def test_text_that_cannot_be_read_is_a_located_problem(text: str, code: str) -> None:
    problem = only(text)
    assert problem.code == code
    assert problem.where.startswith("underway.toml:")


def test_a_syntax_error_names_its_line() -> None:
    assert only('app = "a"\n[env\nA = "x"').where == "underway.toml:2"


def test_a_huge_number_is_not_printed() -> None:
    problem = only('app = "a"\n[processes.web]\ncommand = "x"\ninstances = 0x' + "f" * 5000)
    assert problem.where == "underway.toml:4 processes.web.instances"
    assert len(problem.why) < 200


def test_a_hundred_problems_are_enough() -> None:
    found = problems_of('app = "a"\n' + "\n".join(f"key{n} = 1" for n in range(5000)))
    assert len(found) == 101
    assert found[-1].code == "manifest.too-many"
    assert "4900" in found[-1].why


def test_a_day_is_for_what_no_lock_pins() -> None:
    text = 'app = "a"\n[processes]\nweb = "x"\n[build.python]\nmanager = "{}"\nas_of = "{}"\n'
    manifest = read_manifest(text.format("pip", "2024-08-25"))
    assert manifest.build.python is not None
    assert manifest.build.python.as_of == "2024-08-25"
    assert [p.where for p in problems_of(text.format("pip", "2024-13-01"))] == ["underway.toml:6 build.python.as_of"]
    assert [p.code for p in problems_of(text.format("uv", "2024-08-25"))] == ["manifest.conflict"]
