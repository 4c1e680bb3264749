"""Variables that are read through something of the app's own: wrappers, tables, scripts, files that are filled in."""

from __future__ import annotations

import time

import pytest

from underway.detect.env_inventory import every_read
from underway.terms.tree import Tree


def of(**files: str) -> set[str]:
    """`__` in a name is a folder, `_o_` a dot."""
    texts = {path.replace("__", "/").replace("_o_", "."): text for path, text in files.items()}
    return {read.name for read in every_read(Tree("app", tuple(sorted(texts)), texts))}


WRAPPED = (
    "const environment = {};\nprocess.env = {...environment, ...process.env};\nexport default files(process.env);\n"
)
USES_WRAPPED = """import environment from "@server/utils/environment";
class E { A = environment.AA_ONE ?? 1; b = environment["BB"] }
"""
TYPED = """export const env = <K extends EnvKey>(variable: K): EnvValue<K> => {
  return typeof process !== 'undefined' ? process?.env?.[variable] : undefined;
};
export const requireEnv = <K extends EnvKey>(variable: K, error?: Error): Value<K> => {
  const value = env(variable);
  return value;
};
"""
USES_TYPED = """import { env as read, requireEnv } from '@acme/lib/utils/env';
const flags = { google: 'GOOGLE_OFF', github: 'GITHUB_OFF' } as const;
export const one = read('ONE_URL'), two = requireEnv('TWO_KEY');
export const off = (p) => read(flags[p]);
"""
PROVIDERS = """function oauth(factory: (options: any) => Provider, idEnv: string, secretEnv: string) {
  return () => factory({ id: process.env[idEnv] as string, secret: process.env[secretEnv] as string });
}
const generic = (opts) => process.env[`${opts.envPrefix}_WELLKNOWN`];
const on = (entry) => entry.flagEnvs.some((flag) => process.env[flag] === 'true');
export const all = [
  { flagEnvs: ['BOX_ON', 'BOX_ENABLED'], build: oauth(Box, 'BOX_ID', 'BOX_SECRET') },
  { flagEnvs: ['NAS_ON'], build: () => generic({ envPrefix: 'NAS' }) },
];
"""
SCHEMA = """const port = z.coerce.number();
export const env = createEnv({
  server: { WEB_PORT: port.default(1), KEY_ONE: text() },
  runtimeEnv: { WEB_PORT: process.env.WEB_PORT, KEY_ONE: process.env.KEY_OTHER },
});
"""


def test_modules_that_hand_the_environment_on() -> None:
    assert of(server__utils__environment_o_ts=WRAPPED, app__env_o_ts=USES_WRAPPED) == {"AA_ONE", "BB"}
    found = of(packages__lib__utils__env_o_ts=TYPED, apps__web__flags_o_ts=USES_TYPED)
    assert found == {"ONE_URL", "TWO_KEY", "GOOGLE_OFF", "GITHUB_OFF"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (PROVIDERS, {"BOX_ON", "BOX_ENABLED", "BOX_ID", "BOX_SECRET", "NAS_ON", "NAS_WELLKNOWN"}),
        (SCHEMA, {"WEB_PORT", "KEY_OTHER"}),
        ("const s = z.object({ AA_ONE: z.string(), BB: own });\nexport const e = s.parse(process.env);",
         {"AA_ONE", "BB"}),
        ("const V = ['HTTP_PROXY', 'http_proxy'] as const;\nconst c = V.filter((n) => process.env[n]);",
         {"HTTP_PROXY", "http_proxy"}),
        ("const env = {\n  ...loadEnv(mode, '../', p),\n};\nconst x = env.DEV_PORT ?? '1';", {"DEV_PORT"}),
        ("import env from 'env-var';\nconst x = env.get('AA').required().asString();", {"AA"}),
        ("const COLOURS = { RED_ONE: 1 };\nconst x = make(process.env.AA);", {"AA"}),
        ("const child = spawn('x', { env: process.env });\nchild.KILLED = 1;", set()),
    ],
)  # fmt: skip
def test_javascript(text: str, found: set[str]) -> None:
    assert of(a_o_ts=text) == found


def test_a_bundler_that_empties_the_environment() -> None:
    config = "export default { define: { 'process.env': {} } }"
    assert of(web__vite_o_config_o_js=config, web__src__a_o_ts="process.env.BASE_URL", b_o_ts="process.env.AA") == {
        "AA"
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('import os\n_NAME = "NR_FILE"\nx = os.environ.get(_NAME)\ny = os.environ[_NAME]\n', {"NR_FILE"}),
        ('import os\nP = "APP_"\nx = os.environ[f"{P}KEY"]\ny = os.getenv(P + "URL")\n', {"APP_KEY", "APP_URL"}),
        ('import os\ndef env(n, d=None):\n    return os.environ.get("APP_" + n.upper(), d)\nx = env("key")\n',
         {"APP_KEY"}),
        ('import os\nclass Conf:\n    def get(self, k):\n        return os.environ.get(k)\nc = Conf()\n'
         'x = c.get("AA")\ny = c.get("not_this")\n', {"AA"}),
        ('import os\nenv = lambda k, d="": os.environ.get(k, d)\nx = env("AA")\n', {"AA"}),
        ('import os\nfrom dotenv import dotenv_values\n'
         'conf = {**dotenv_values(".env"), **os.environ}\nx = conf["AA"]\n', {"AA"}),
        ('import os\nget = os.environ.get\nx = get("AA")\n', {"AA"}),
        ('app.config.from_envvar("SHOP_CONF")\nimport os\nos.environ\n', {"SHOP_CONF"}),
        ('from pydantic_settings import BaseSettings\nfrom pydantic import AliasChoices, Field\n'
         'class S(BaseSettings):\n    x: str = Field(validation_alias=AliasChoices("AA", "BB"))\n', {"AA", "BB"}),
        ('from configurations import Configuration, values\nclass Base(Configuration):\n'
         '    KEY = values.SecretValue()\n    D = values.DatabaseURLValue()\n'
         '    PORT = values.IntegerValue(1, environ_prefix="WEB")\n',
         {"DJANGO_KEY", "DATABASE_URL", "WEB_PORT"}),
    ],
)  # fmt: skip
def test_python(text: str, found: set[str]) -> None:
    assert of(settings_o_py=text) == found


def test_python_over_several_files() -> None:
    base = (
        'import os\nfrom starlette.config import Config\nKEY = "AA"\ndef bool_env(n):\n    return os.getenv(n) == "1"\n'
    )
    over = 'import os\nfrom app.base import *\nx = bool_env("ON")\n'
    names = 'import os\nfrom app import base\nfrom app.base import KEY, Config\nconfig = Config(".env")\n'
    names += 'x = os.environ[KEY]\ny = os.environ[base.KEY + "_2"]\nz = config("BB")\n'
    assert of(app__base_o_py=base, app__over_o_py=over, app__names_o_py=names) == {"ON", "AA", "AA_2", "BB"}


ENTRYPOINT = """#!/bin/bash
# $NOT_IN_A_COMMENT
set -e
: "${MUST_HAVE:?say which}"
export WEB_PORT=${WEB_PORT:-80}
MADE="$(date)"; echo "$MADE" '$QUOTED'
for EACH in a b; do echo "$EACH"; done
cat <<'END'
$IN_A_TEXT
END
if [ -f "${KEY_FILE}" ]; then export KEY=$(cat "$KEY_FILE"); fi
file_env 'DB_PASS'
file_env() { local v="$1"; x="${v}_FILE"; }
envsubst < /opt/shop/site.conf.template > /etc/nginx/site.conf
exec /opt/shop/bin/serve.sh "$@"
"""


def test_scripts_that_start_the_app() -> None:
    found = of(
        Dockerfile='FROM python\nCOPY docker/first.sh /start.sh\nENTRYPOINT ["/start.sh"]\n'
        "FROM x\nCMD serve -p ${LISTEN:-1}\n",
        docker__first_o_sh=ENTRYPOINT,
        bin__serve_o_sh='#!/bin/sh\nexec serve --workers "$WORKERS" --port $WEB_PORT --home $HOME $KEY\n',
        site_o_conf_o_template="listen ${WEB_PORT}; root ${MEDIA_ROOT}; proxy $host;",
        tools__other_o_sh="#!/bin/sh\necho $NOT_STARTED\n",
        Procfile="web: run -p $PORT\n",
        package_o_json='{"scripts": {"start": "next start -p ${NEXT_PORT}", "test": "x $IN_TESTS"}}',
    )
    wanted = {"MUST_HAVE", "WEB_PORT", "KEY_FILE", "DB_PASS", "DB_PASS_FILE", "LISTEN", "WORKERS", "MEDIA_ROOT", "PORT"}
    assert found == wanted | {"NEXT_PORT"}


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("prisma/schema.prisma", 'url = env("DATABASE_URL")\n// env("OLD")\n', {"DATABASE_URL"}),
        (
            "config/custom-environment-variables.json",
            '{"db": {"url": "DB_URL", "n": {"__name": "DB_N"}}}',
            {"DB_URL", "DB_N"},
        ),
        ("src/main/resources/application.yml", "url: ${DB_URL:jdbc:x}\n# ${OLD}\n", {"DB_URL"}),
        ("config/packages/x.yaml", "dsn: '%env(resolve:DB_URL)%'\n", {"DB_URL"}),
    ],
)
def test_files_that_are_filled_in(path: str, text: str, found: set[str]) -> None:
    assert {read.name for read in every_read(Tree("app", (path,), {path: text}))} == found


def test_a_file_of_settings_that_the_app_fills_in() -> None:
    main = "import os\nraw = os.path.expandvars(open('settings.yaml').read())\n"
    assert of(main_o_py=main, settings_o_yaml="key: ${API_KEY}\nport: ${PORT:-1}\n", other_o_yaml="x: ${NO}") == {
        "API_KEY",
        "PORT",
    }


def test_go_keys_of_the_whole_environment() -> None:
    table = 'package c\nvar options = map[string]*value{\n\t"LOG_FILE": {raw: ""},\n\t"PORT": {raw: "1"},\n}\n'
    walk = "package c\nfunc parse() { for _, line := range os.Environ() {\n\tset(line)\n} }\n"
    other = 'package d\nvar x = map[string]int{\n\t"NOT_THIS": 1,\n}\n'
    assert of(conf__a_o_go=table, conf__b_o_go=walk, other__c_o_go=other) == {"LOG_FILE", "PORT"}


def test_names_that_are_declared_and_stand_in_quotes() -> None:
    found = of(
        _o_env_o_example="SHOP_KEY=\n# SHOP_URL=\nSHOP_OLD=\nDEBUG=\nSHOP_SET=\n",
        app_o_py='x = reader.value("SHOP_KEY")\ny = other["SHOP_URL"]\nlog("DEBUG")\nz = "SHOP_NOWHERE"\n',
        b_o_py='import os\nos.environ.setdefault("SHOP_SET", "1")\n# "SHOP_OLD"\n',
    )
    assert found == {"SHOP_KEY", "SHOP_URL"}


def test_hostile_sources_are_read_in_time() -> None:
    began = time.monotonic()
    of(
        a_o_ts="const x = [" + "'AA' " * 20_000 + "process.env[",
        b_o_ts="function f(" + "a(" * 20_000 + "process.env[x] " + "const env = process.env;" * 2000,
        c_o_ts="import {" * 5000 + "z.object({" * 5000 + "process.env",
        start_o_sh="${A" * 20_000 + "'" * 9999 + "<<'E'\n" * 2000,
        Dockerfile="CMD start.sh\n" + "COPY a b\n" * 2000,
        d_o_py='import os\nx = os.environ["A" ' + '+ "B"' * 400 + "]\n",
    )
    assert time.monotonic() - began < 60, "a bound, not a measure"
