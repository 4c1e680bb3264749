"""Which variables a repository's own code reads, in each language and each way."""

from __future__ import annotations

import pytest

from underway.detect.env_inventory import every_read
from underway.terms.tree import Tree


def names(**files: str) -> set[str]:
    texts = {path.replace("__", "/"): text for path, text in files.items()}
    return {read.name for read in every_read(Tree("app", tuple(sorted(texts)), texts))}


def of(path: str, text: str) -> set[str]:
    return {read.name for read in every_read(Tree("app", (path,), {path: text}))}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('import os\nX = "AA" in os.environ\nY = "BB" not in os.environ\n', {"AA", "BB"}),
        ('import os\nN = ["AA", "BB"]\nfor n in N:\n    os.environ.get(n)\n', {"AA", "BB"}),
        ('import os\nX = {n: os.environ[n] for n in ("AA", "BB")}\n', {"AA", "BB"}),
        ('import os\nmissing = [k for k in ["AA"] if k not in os.environ]\n', {"AA"}),
        ('import os\ndef secret(n):\n    return os.getenv(n + "_FILE") or os.getenv(n)\nX = secret("AA")\n',
         {"AA", "AA_FILE"}),
        ('import os\ndef s(n):\n    return os.getenv(f"{n}_FILE", os.getenv(n))\nX = s("AA")\n', {"AA", "AA_FILE"}),
        ('import os\ndef a(key):\n    return os.getenv(key)\ndef b(n):\n    return lambda: a(key=n)\nX = b("AA")\n',
         {"AA"}),
        ('import click\n@click.option("--x", envvar="AA")\ndef run(x): ...\nimport os\nos.environ\n', {"AA"}),
        ('import os\nos.environ["AA"] = "1"\nos.environ.setdefault("BB", "2")\n', set()),
        ('X = {"AA": 1}\nY = "AA" in X\n', set()),
    ],
)  # fmt: skip
def test_python(text: str, found: set[str]) -> None:
    assert of("settings.py", text) == found


def test_a_helper_of_another_module() -> None:
    helper = "import os\ndef get_env(key, default):\n    return os.getenv(key, default)\n"
    use = "from app.env import get_env\nURL = get_env('DATABASE_URL', '')\n"
    assert names(app__env__py="", **{"app__env.py": helper, "app__settings.py": use}) == {"DATABASE_URL"}


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("src/a.ts", "const u = import.meta.env.VITE_A ?? ''; if (import.meta.env.DEV) {}", {"VITE_A"}),
        ("src/a.ts", "const { VITE_A, MODE } = import.meta.env", {"VITE_A"}),
        ("src/a.vue", "<script>const x = import.meta.env['VITE_A']</script>", {"VITE_A"}),
        ("a.ts", "const x = Bun.env.AA; const y = Deno.env.get('BB')", {"AA", "BB"}),
        ("a.ts", "import { AA, BB } from '$env/static/private'", {"AA", "BB"}),
        (
            "a.ts",
            "constructor(private configService: ConfigService) { this.configService.get<string>('A_B') }",
            {"A_B"},
        ),
        ("a.js", "const x = process.env.AA || process.env.BB || 'x'", {"AA", "BB"}),
        ("a.js", "const x = process.env?.AA", {"AA"}),
        (
            "a.js",
            "function e(n) {\n  return process.env[n] || process.env[n + '_FILE']\n}\nx = e('AA')",
            {"AA", "AA_FILE"},
        ),
        (
            "next.config.js",
            "module.exports = { env: { made: 1, AA: process.env.AA } }\nx = process.env.made // next",
            {"AA"},
        ),
        ("playwright.config.ts", "const x = process.env.AA", set()),
        ("dist/a.js", "const x = process.env.AA", set()),
        ("main.go", 'a := os.Getenv("AA")\nb, ok := os.LookupEnv("BB")', {"AA", "BB"}),
        ("main_test.go", 'a := os.Getenv("AA")', set()),
        ("config/app.rb", "AA = ENV['AA']\nB = ENV.fetch('BB')\nC = ENV.fetch(\"C\") { 1 }", {"AA", "BB", "C"}),
        ("src/main.rs", 'let a = std::env::var("AA").unwrap(); let b = env!("BB");', {"AA", "BB"}),
        ("config/app.php", "$a = getenv('AA'); $b = env('BB', 1); $c = $_ENV['C'];", {"AA", "BB", "C"}),
        ("Main.java", 'var a = System.getenv("AA");', {"AA"}),
        ("tests/a.js", "const x = process.env.AA", set()),
    ],
)  # fmt: skip
def test_other_languages(path: str, text: str, found: set[str]) -> None:
    assert of(path, text) == found


def test_readers_that_a_star_import_brings() -> None:
    base = "from decouple import config\nA = config('AA')\n"
    files = {"app/settings/base.py": base, "app/settings/prod.py": "from .base import *\nB = config('BB')\n"}
    assert {read.name for read in every_read(Tree("app", tuple(sorted(files)), files))} == {"AA", "BB"}


GROUPS = """
type Options struct {
	Store StoreGroup `group:"store" env-namespace:"STORE"`
	Auth  struct {
		TTL int `env:"TTL" required:"true"`
	} `group:"auth" env-namespace:"AUTH"`
	Debug bool `env:"DEBUG"`
}

type StoreGroup struct {
	Path string `env:"PATH" default:"./var"`
}
"""
PREFIXED = """
type Config struct {
	Server Server `envPrefix:"SRV_"`
	Key string `env:"KEY,required"`
}
type Server struct {
	Port int `env:"PORT" envDefault:"8080"`
}
"""
ENVCONFIG = """
type Spec struct {
	MaxConns int `split_words:"true"`
	Database *Database
	hidden string
}
type Database struct {
	URL string `required:"true"`
}
func load() {
	var spec Spec
	envconfig.MustProcess("shop", &spec)
}
"""
HELPERS = """
const EnvPort = "APP_PORT"
func lookup(name string) string {
	if v, ok := os.LookupEnv(name); ok { return v }
	return os.Getenv(name + "_FILE")
}
func number(target *int, name string) {
	*target = lookup(name)
}
func load() {
	number(&port, EnvPort)
	host = getEnv("HOST", "x")
}
func getEnv(key, fallback string) string {
	return os.Getenv(key)
}
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (GROUPS, {"STORE_PATH", "AUTH_TTL", "DEBUG"}),
        (PREFIXED, {"SRV_PORT", "KEY"}),
        (ENVCONFIG, {"SHOP_MAX_CONNS", "SHOP_DATABASE_URL"}),
        (HELPERS, {"APP_PORT", "APP_PORT_FILE", "HOST"}),
        ('f := &cli.Flag{EnvVars: []string{"AA", "BB"}}\ng := cli.Flag{EnvVar: "CC,DD"}', {"AA", "BB", "CC", "DD"}),
        ('viper.BindEnv("db.url", "AA")\napp.Flag("x", "").Envar("BB")', {"AA", "BB"}),
        ('// os.Getenv("AA")\n', set()),
    ],
)  # fmt: skip
def test_go(text: str, found: set[str]) -> None:
    assert of("main.go", text) == found


def test_what_must_be_there_in_go_and_ruby() -> None:
    reads = every_read(Tree("a", ("main.go",), {"main.go": PREFIXED + GROUPS}))
    assert {read.name for read in reads if read.is_required} == {"KEY", "AUTH_TTL"}
    ruby = (
        "A = ENV.fetch('AA')\nB = ENV.fetch('BB') { 1 }\nC = ENV.fetch('CC', 1)\nENV['DD'] = '1'\nENV['EE'] ||= '1'\n"
    )
    found = every_read(Tree("a", ("a.rb",), {"a.rb": ruby}))
    assert {read.name: read.is_required for read in found} == {"AA": True, "BB": False, "CC": False, "EE": False}


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("config/cable.yml", "url: <%= ENV.fetch('AA') { 1 } %>\n# ENV['BB']\nx: ENV['CC']\n", {"AA"}),
        ("lib/tasks/x.rake", "ENV['AA']", {"AA"}),
        ("config/docker.py.template", "import os\nA = os.getenv('AA')\n", {"AA"}),
        ("shop/tests.py", "import os\nA = os.getenv('AA')\n", set()),
        ("build/plugin.js", "x = process.env.AA", {"AA"}),
        ("build/bundle.js", "x = process.env.AA;" + "a" * 3000, set()),
        ("a.js", "// process.env.AA\nx = process.env.BB", {"BB"}),
        (
            "webpack.config.js",
            "new DefinePlugin({'process.env.AA': 1, 'process.env.BB': JSON.stringify(process.env.BB)}); process.env.AA",
            {"BB"},
        ),
    ],
)  # fmt: skip
def test_where_reads_stand(path: str, text: str, found: set[str]) -> None:
    assert of(path, text) == found
