"""Databases and brokers that an app connects to and Underway does not provide: named early, with the remedy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from underway.detect.env_names import is_engine
from underway.detect.index import Index
from underway.detect.model import Evidence, Notes
from underway.detect.variables import Variable
from underway.manifest.env_keys import EnvVar


@dataclass(frozen=True)
class Foreign:
    """A kind of server. `python` and `node` are its clients, `connects` is how source code opens a connection."""

    name: str
    python: tuple[str, ...]
    node: tuple[str, ...]
    schemes: tuple[str, ...]
    variable: re.Pattern[str]
    connects: re.Pattern[str]
    example: str

    @property
    def url(self) -> str:
        """The name of a variable for its address, where the app has none yet."""
        return f"{self.name.upper().replace(' ', '_')}_URL"


FOREIGN = (
    Foreign(
        "MongoDB",
        ("pymongo", "motor", "mongoengine", "beanie", "odmantic", "flask-pymongo", "flask-mongoengine", "umongo"),
        ("mongoose", "mongodb", "@nestjs/mongoose", "monk", "connect-mongo"),
        ("mongodb", "mongodb+srv"),
        re.compile(r"(?:[A-Z0-9]+_)*MONGO(?:DB|OSE)?(?:_[A-Z0-9]+)*|(?:DB|DATABASE|ATLAS)_(?:URI|URL|CONN\w*)"),
        re.compile(
            r"mongoose\s*\.(?:connect|createConnection)\(|\bMongoClient\(|AsyncIOMotorClient\(|AIOEngine\(|PyMongo\("
            r"|\bMongo(?:Alchemy|Engine)\(|MongooseModule\.forRoot|MongoClient\.connect\(|mongoengine\.connect\(|init_beanie\("
        ),
        "mongodb://user:password@host:27017/name",
    ),
    Foreign(
        "MySQL",
        ("pymysql", "mysqlclient", "aiomysql", "asyncmy", "mysql-connector-python", "flask-mysqldb", "flask-mysql"),
        ("mysql", "mysql2", "promise-mysql", "mariadb", "@mikro-orm/mysql", "@mikro-orm/mariadb"),
        ("mysql", "mysql2", "mariadb"),
        re.compile(
            r"(?:[A-Z0-9]+_)*MYSQL(?:_[A-Z0-9]+)*_?(?:URL|URI|HOST)|(?:[A-Z0-9]+_)*(?:DB|DATABASE)_(?:URL|URI|HOST)"
        ),
        re.compile(
            r"""mysql2?\.create(?:Connection|Pool)\(|['"]mysql(?:\+\w+)?://|pymysql\.connect\(|MySQLdb\.connect\("""
            r"""|MySQL\(app|mysql\.connector\.connect\(|django\.db\.backends\.mysql|provider\s*=\s*"mysql"|"""
            r"""(?:dialect|type|client)['"]?\s*:\s*['"](?:mysql2?|mariadb)['"]|(?:from|require\()\s*['"]@mikro-orm/m(?:ysql|ariadb)['"]"""
        ),
        "mysql://user:password@host:3306/name",
    ),
    Foreign(
        "Elasticsearch",
        ("elasticsearch", "elasticsearch-dsl", "django-elasticsearch-dsl", "opensearch-py"),
        ("@elastic/elasticsearch", "@opensearch-project/opensearch"),
        (),
        re.compile(r"(?:[A-Z0-9]+_)*(?:ELASTIC\w*|OPENSEARCH)_(?:URL|URI|HOSTS?|NODE)"),
        re.compile(r"ELASTICSEARCH_DSL\s*="),
        "http://host:9200",
    ),
    Foreign(
        "Cassandra",
        ("cassandra-driver", "scylla-driver", "aiocassandra", "django-cassandra-engine"),
        ("cassandra-driver",),
        (),
        re.compile(r"(?:[A-Z0-9]+_)*(?:CASSANDRA|SCYLLA)(?:_[A-Z0-9]+)*_?(?:HOSTS?|NODES?|CONTACT_POINTS?)"),
        re.compile(r"^from cassandra\.cluster import|\bnew cassandra\.Client\(", re.MULTILINE),
        "host",
    ),
    Foreign(
        "SQL Server",
        ("pymssql", "pyodbc", "mssql-django"),
        ("mssql", "tedious"),
        ("mssql", "sqlserver"),
        re.compile(r"(?:[A-Z0-9]+_)*MSSQL(?:_[A-Z0-9]+)*_?(?:URL|HOST|SERVER)"),
        re.compile(
            r"""['"]mssql(?:\+\w+)?://|['"]ENGINE['"]\s*:\s*['"]mssql|provider\s*=\s*"sqlserver"|new sql\.Conn"""
        ),
        "mssql://user:password@host:1433/name",
    ),
)


def foreign_databases(
    index: Index, sources: list[str], has: set[str], variables: dict[str, Variable], env: dict[str, EnvVar],
    notes: Notes, *, is_node: bool, has_own: bool,
) -> None:  # fmt: skip
    """Ask for the address of every foreign database that `sources` connect to with a client among `has`.

    `has_own` is true when the app is given PostgreSQL: what it can use besides is then its owner's choice.
    """
    has_own_file = bool(has & _EMBEDDED) or any("sqlite" in index.text(path) for path in sources)
    for foreign in FOREIGN:
        client = next((c for c in (foreign.node if is_node else foreign.python) if c in has), "")
        if not client:
            continue
        named = _by_value(variables, foreign)
        if has_own and not any(one.is_required for one in named):
            continue
        at = named[0].evidence if named else _connection(index, sources, foreign) or _engine(variables, foreign)
        if at is None and not has_own and not has_own_file:
            at = _by_name(variables, foreign)
        if at is None:
            continue
        if not named:
            named = [v for n, v in variables.items() if _means(foreign, n) and not _has_address(v)][:1]
        if not named:
            named = _read_there(variables, at)
        if not named:
            notes.problem(
                "detect.service-fixed",
                at,
                f"the app connects to {foreign.name} ({client}) at an address that is written here, and Underway does "
                f"not provide {foreign.name}",
                f"read the address from the environment there, {_reading(foreign, is_node=is_node)}, and set it: "
                f"{foreign.example}; or start without, where the app can: underway deploy --allow-missing",
                f"underway env set {foreign.url}",
            )
        named += [part for one in named for part in _parts_beside(variables, foreign, one)]
        for one in named:
            if has_own_file and (tested := _is_tested(index, sources, one.name)) is not None:
                says = f"{foreign.name} where {one.name} is set; without it the app uses a file of its own"
                notes.claim("database", says, tested)
                continue
            if one.name in env and (env[one.name].value or env[one.name].required):
                continue
            if one.name in env:  # a password that would have been made up
                notes.claims[:] = [c for c in notes.claims if not c.says.startswith(f"{one.name} ")]
            env[one.name] = EnvVar(required=True, secret=True)
            notes.comments[f"env.{one.name}"] = f"{foreign.name}: only you know its address ({one.evidence})"
            notes.problem(
                "detect.env-missing",
                one.evidence if one.reads else at,
                f"the app needs {foreign.name} at {one.name}, and Underway does not provide {foreign.name}",
                f'add to underway.toml, under [env]: {one.name} = "{example_of(foreign, one)}"',
                f"underway env set {one.name}",
            )


_HOST = re.compile(r"(.+_)(?:HOST|HOSTNAME|SERVER)", re.IGNORECASE)


def _parts_beside(variables: dict[str, Variable], foreign: Foreign, one: Variable) -> list[Variable]:
    """Who may enter what, where the address is given in parts: a user, a password, a name beside the host."""
    stem = _HOST.fullmatch(one.name)
    if stem is None or not foreign.schemes:
        return []
    words = ("USER", "USERNAME", "PASS", "PASSWD", "PASSWORD", "PWD", "NAME", "DATABASE", "DB")
    return [variables[name] for word in words if (name := f"{stem[1]}{word}") in variables]


def example_of(foreign: Foreign, one: Variable) -> str:
    """How the value of `one` looks: the address with the scheme that the app itself uses, a host, or nothing known."""
    scheme, _, whole = foreign.example.partition("://")
    known = next((value.partition("://")[0] for value in one.known_values if "://" in value), "")
    if known:
        return f"{known}://{whole}"
    if _HOST.fullmatch(one.name):
        return "host"
    if re.search(r"_ADDR(?:ESS)?$", one.name):
        return whole.rpartition("@")[2].partition("/")[0]
    is_address = _means(foreign, one.name) and not _PART.search(one.name)
    return f"{scheme}://{whole}" if is_address else "…"


_PART = re.compile(r"_(?:PORT|USER|USERNAME|PASS|PASSWD|PASSWORD|PWD|PW|NAME|DATABASE|DB)$")


def _read_there(variables: dict[str, Variable], at: Evidence) -> list[Variable]:
    """The variables that the statement at `at` reads: an address that is put together there."""
    lines = range(at.line, at.line + _LINES_OF_ADDRESS) if at.line else range(0)
    return [
        one
        for one in variables.values()
        if any(r.evidence.path == at.path and r.evidence.line in lines for r in one.reads)
    ]


_LINES_OF_ADDRESS = 2


def _reading(foreign: Foreign, *, is_node: bool) -> str:
    return f"process.env.{foreign.url}" if is_node else f'os.environ["{foreign.url}"]'


def _engine(variables: dict[str, Variable], foreign: Foreign) -> Evidence | None:
    """Where a variable that chooses the kind of database has this one as its default."""
    chosen = (v for name, v in variables.items() if is_engine(name) and (v.default or "").lower() in foreign.schemes)
    return next((one.evidence for one in chosen), None)


def _by_name(variables: dict[str, Variable], foreign: Foreign) -> Evidence | None:
    """Where a variable is read whose name says which server it means (`MYSQL_HOST`, `MONGO_URL`)."""
    word = {"MongoDB": "MONGO", "MySQL": "MYSQL"}.get(foreign.name)
    named = (v for name, v in variables.items() if word and word in name.upper() and _means(foreign, name) and v.reads)
    return next((one.evidence for one in named), None)


def _is_tested(index: Index, sources: list[str], name: str) -> Evidence | None:
    """Where the sources ask whether the variable is there and go another way when it is not."""
    tests = re.compile(
        rf"""if\s*\(\s*!?process\.env\.{name}\s*\)|process\.env\.{name}\s*\?(?![?.])"""
        rf"""|\bif\s+(?:not\s+)?os\.(?:environ\.get|getenv)\(\s*['"]{name}['"]\s*\)|\bif\s+['"]{name}['"]\s+in\s+os\.environ"""
    )
    for path in sources:
        text = index.text(path)
        if name in text and (found := tests.search(text)):
            return Evidence.at(path, text, found.start())
    return None


def _by_value(variables: dict[str, Variable], foreign: Foreign) -> list[Variable]:
    """The variables whose default or example is an address of this kind, and not one of a file."""
    return [
        one
        for one in variables.values()
        if any(
            there and scheme.partition("+")[0].lower() in foreign.schemes
            for scheme, there, _ in (value.partition("://") for value in one.known_values)
        )
        and not any(value.startswith("sqlite") for value in one.known_values)
    ]


def _means(foreign: Foreign, name: str) -> bool:
    return bool(foreign.variable.fullmatch(name.upper()[:100]))


def _has_address(one: Variable) -> bool:
    return any("://" in value for value in one.known_values)


_EMBEDDED = frozenset({"sqlite3", "better-sqlite3", "sql.js", "libsql", "@libsql/client", "aiosqlite"})
_ASIDE = re.compile(r"(^|/)[\w-]*(populate|seed|migrat|fixture|import|backup|script)[\w-]*(\.\w+$|/)", re.IGNORECASE)


def _connection(index: Index, sources: list[str], foreign: Foreign) -> Evidence | None:
    for path in sources:
        if _ASIDE.search(path):
            continue
        text = index.text(path)
        for found in foreign.connects.finditer(text):
            line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()].lstrip()
            if not line.startswith(("#", "//", "*")):
                return Evidence.at(path, text, found.start())
    return None
