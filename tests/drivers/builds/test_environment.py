from __future__ import annotations

from pathlib import Path

from underway.drivers.builds import build_environment
from underway.drivers.builds.environment import credentials, index_settings


def test_where_packages_come_from_is_passed_and_secrets_are_not() -> None:
    passed = {
        "PATH": "/usr/bin", "LANG": "de_DE.UTF-8", "UV_INDEX": "https://a", "UV_INDEX_CORP_PASSWORD": "x",
        "UV_DEFAULT_INDEX": "https://b", "SSL_CERT_FILE": "/ca.pem", "NODE_EXTRA_CA_CERTS": "/ca.pem",
        "npm_config_registry": "https://c", "NPM_CONFIG_REGISTRY": "https://c", "https_proxy": "http://p",
        "HTTPS_PROXY": "http://p", "NO_PROXY": "localhost", "PIP_CERT": "/ca.pem", "REQUESTS_CA_BUNDLE": "/ca.pem",
    }  # fmt: skip
    kept_back = {
        "HOME": "/root", "AWS_SECRET_ACCESS_KEY": "x", "DATABASE_URL": "x", "GITHUB_TOKEN": "x", "SECRET_KEY": "x",
        "PYTHONPATH": "/x", "PYTHONDONTWRITEBYTECODE": "1", "LD_PRELOAD": "/x.so", "VIRTUAL_ENV": "/x",
        "UNDERWAY_HOME": "/x", "NODE_OPTIONS": "--require /x", "NODE_ENV": "development", "TMPDIR": "/x",
        "PIP_TARGET": "/x", "PIP_USER": "1", "npm_config_prefix": "/x", "NPM_CONFIG_CACHE": "/x", "BASH_ENV": "/x",
        "UV_PROJECT_ENVIRONMENT": "/x", "UV_PYTHON": "3.8",
    }  # fmt: skip
    assert dict(build_environment({**passed, **kept_back})) == passed


def test_what_pip_is_told_uv_is_told_too() -> None:
    env = build_environment(
        {
            "PIP_INDEX_URL": "https://a/simple",
            "PIP_EXTRA_INDEX_URL": "https://b/simple  https://c/simple",
            "PIP_FIND_LINKS": "/wheels /more",
        }
    )
    assert env["UV_DEFAULT_INDEX"] == "https://a/simple"
    assert env["UV_INDEX"] == "https://b/simple https://c/simple"
    assert env["UV_FIND_LINKS"] == "/wheels,/more"
    kept = build_environment({"PIP_INDEX_URL": "https://a", "UV_DEFAULT_INDEX": "https://b"})
    assert kept["UV_DEFAULT_INDEX"] == "https://b"


def test_an_empty_environment_can_still_build() -> None:
    assert build_environment({})["PATH"]
    assert build_environment({})["LANG"] == "C.UTF-8"


def test_the_users_own_index_settings_go_along_and_nothing_else_of_their_home(tmp_path: Path) -> None:
    (tmp_path / ".npmrc").write_text("registry=https://r.example.com/\n//r.example.com/:_authToken=npm_98765\n")
    (tmp_path / ".config/uv").mkdir(parents=True)
    (tmp_path / ".config/uv/uv.toml").write_text('[[index]]\nurl = "https://me:sesame1@i.example.com/simple"\n')
    (tmp_path / ".netrc").write_text("machine bank.example.com login me password money1\n")
    settings = index_settings({"HOME": str(tmp_path)})
    assert sorted(settings) == [".config/uv/uv.toml", ".npmrc"]
    assert set(credentials({}, settings)) == {"npm_98765", "sesame1"}
    assert index_settings({}) == {}


def test_credentials_are_found_wherever_they_ride() -> None:
    env = {
        "UV_INDEX": "corp=https://me:pa55word@a/simple https://b",
        "PIP_INDEX_URL": "https://token-1:@c/simple https://x:second1@d",
        "NPM_CONFIG__AUTHTOKEN": "npm_12345",
        "UV_INDEX_CORP_PASSWORD": "third-one",
        "PATH": "/usr/bin",
        "https_proxy": "http://[::1",
    }
    assert set(credentials(env)) == {"pa55word", "second1", "npm_12345", "third-one", "token-1"}
