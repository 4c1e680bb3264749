"""The line of a log that a person should see first. The logs are real ones, shortened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from underway.drivers.builds.reasons import cleaned, is_disk_full, is_out_of_reach, reason

UV_NO_SOLUTION = """\
Using Python 3.11.7 environment at: .venv
  × No solution found when resolving dependencies:
  ╰─▶ Because nosuch was not found in the package registry and you require
      nosuch, we can conclude that your requirements are unsatisfiable.

      hint: something else"""
UV_HASH = """\
Resolved 1 package in 97ms
error: Failed to download `itsdangerous==2.2.0`
  cause: Hash mismatch for `itsdangerous==2.2.0`

         Expected:
           sha256:0000"""
UV_BUILD = """\
error: Failed to build `pydantic-core==2.14.5`
  cause: The build backend returned an error
  cause: Call to `maturin.build_wheel` failed (exit status: 1)

         [stdout]
         Running `maturin pep517 build-wheel -i /x/python --compatibility off`

         [stderr]
         error: rustup could not choose a version of cargo to run
         help: run 'rustup default stable'
         Error: command ['maturin'] returned non-zero exit status 1

hint: `pydantic-core` (v2.14.5) was included because `pydantic` (v2.5.2) depends on `pydantic-core`"""
UV_BUILD_PYTHON = """\
error: Failed to build `own @ file:///x`
  cause: Call to `poetry.core.masonry.api.build_editable` failed (exit status: 1)

         [stderr]
         Traceback (most recent call last):
           File "/x/metadata.py", line 69, in from_package
         FileNotFoundError: [Errno 2] No such file or directory: '/x/README.md'"""
ASTRO = """\
11:16:17 [ERROR] [vite] x Build failed in 8ms
[EnvInvalidVariables] The following environment variables defined in `env.schema` are invalid:

- SCORE_API_ENDPOINT is missing

  Error reference:
    https://docs.astro.build/en/reference/errors/env-invalid-variables/
  Stack trace:
    at async catchUnfinishedHookActions (file:///x/rollup/dist/es/shared/node-entry.js:20269:16)
 ELIFECYCLE  Command failed with exit code 1."""
ASTRO_EXPORT = """\
02:46:22 [ERROR] [vite] ✗ Build failed in 4.29s
src/Panel.tsx (24:2): "kinds" is not exported by "src/schema.ts", imported by "src/Panel.tsx".
file: /x/src/Panel.tsx:24:2

24:   kinds,
      ^
  Stack trace:
    at getRollupError (file:///x/rollup/dist/es/shared/parseAst.js:401:41)
 ELIFECYCLE  Command failed with exit code 1."""
VITE = """✗ Build failed in 812ms
error during build:
src/App.vue (3:7): Failed to resolve import "./Gone.vue" from "src/App.vue". Does the file exist?
    at TransformPluginContext._formatLog (file:///x/vite/dist/node/chunks/dep.js:43)"""
TYPES = """\
src/components/Post.astro:4:11 - error ts(2749): 'Post' refers to a value, but is being used as a type here.

src/pages/posts.astro:10:21 - error ts(2769): No overload matches this call.
  Overload 3 of 3, '(left: never, right: unknown): SQL<unknown>', gave the following error.

Result (8 files):
- 2 errors
- 0 warnings"""
BERRY = """\
➤ YN0000: ┌ Link step
➤ YN0007: │ app@workspace:. must be built because it never has been before or the last one failed
➤ YN0000: │ app@workspace:. STDOUT hello
➤ YN0000: │ app@workspace:. STDERR Error: no browser here
➤ YN0000: │ app@workspace:. STDERR     at [eval]:1:7
➤ YN0000: │ app@workspace:. STDERR
➤ YN0000: │ app@workspace:. STDERR Node.js v20.20.2
➤ YN0009: │ app@workspace:. couldn't be built successfully (exit code 1, logs can be found here: /tmp/xfs-3/build.log)
➤ YN0000: └ Completed in 2s 12ms
➤ YN0000: Failed with errors in 3s 90ms"""
BERRY_LOCK = """\
➤ YN0028: │ +"left-pad@npm:1.0.0":
➤ YN0028: │ The lockfile would have been modified by this install, which is explicitly forbidden.
➤ YN0000: └ Completed
➤ YN0000: Failed with errors in 0s 636ms"""
CURL = """> mkdir -p lib && curl --fail -L -o lib/words.db https://github.com/x/y/releases/latest/download/words.db
  0     0    0     0    0     0      0      0 --:--:-- --:--:-- --:--:--  0curl: (6) Could not resolve host: github.com
 ELIFECYCLE  Command failed with exit code 6."""
NPM_E404 = """\
npm error code E404
npm error 404 Not Found - GET https://registry.npmjs.org/nosuch - Not found
npm error 404
npm error 404  'nosuch@^1.0.0' is not in this registry.
npm error A complete log of this run can be found in: /x/_logs/debug-0.log"""
NPM_SCRIPT = """\
> front@1.0.0 build
> vite build

vite v5.0.0 building for production...
error during build:
Error: Could not resolve "./pages/home" from "src/main.js"
npm error Lifecycle script `build` failed with error:
npm error code 1
npm error path /x"""
TRACEBACK = """\
Operations to perform:
Traceback (most recent call last):
  File "manage.py", line 22, in <module>
    main()
django.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.
"""


NEXT = """\
Failed to compile.

app/layout.tsx
`next/font` error:
Failed to fetch `Space Grotesk` from Google Fonts.


> Build failed because of webpack errors
"""


LINT = """\
 ERROR  Failed to compile with 1 error

[eslint]
/home/x/front/src/views/NoteView.vue
  20:9  error  Component name "Note" should always be multi-word  vue/multi-word-component-names

✖ 1 problem (1 error, 0 warnings)

 ERROR  Error: Build failed with errors.
Error: Build failed with errors.
"""


GYP = """\
npm error code 1
npm error path /srv/x/node_modules/sqlite3
npm error command failed
npm error command sh -c node-pre-gyp install --fallback-to-build
npm error make: Entering directory '/srv/x/node_modules/sqlite3/build'
npm error   CC(target) Release/obj.target/nothing/../node-addon-api/nothing.o
npm error node-pre-gyp info it worked if it ends with ok
npm error gyp info using node@20.20.2 | linux | x64
npm error /bin/sh: 1: python: Permission denied
npm error make: *** [deps/action_before_build.target.mk:13: sqlite3.c] Error 127
npm error gyp ERR! stack Error: `make` failed with exit code: 2
npm error gyp ERR! $npm_package_version 5.0.2
"""
GYP_ALONE = """\
npm error code 6
npm error path /srv/x/node_modules/bcrypt
npm error command sh -c node-pre-gyp install --fallback-to-build
npm error node-pre-gyp info it worked if it ends with ok
npm error node-pre-gyp info using node@20.20.2 | linux | x64
npm error node-pre-gyp http GET https://example.com/v2.0.1/bcrypt_lib-v2.0.1-node-v115-linux-x64-glibc.tar.gz
npm error node-pre-gyp ERR! Completion callback never invoked!
"""
CAUSE = """\
Error: Failed to collect configuration for /blog/page/[id]
    at ignore-listed frames {
  [cause]: Error: Please set your API_KEY and SERVICE_DOMAIN in .env
      at module evaluation (src/lib/client.ts:9:9)
> Build error occurred
Error: Failed to collect page data for /blog/page/[id]
  type: 'Error'
"""


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (CAUSE, "Error: Please set your API_KEY and SERVICE_DOMAIN in .env (src/lib/client.ts:9)"),
        (
            GYP,
            "sqlite3 5.0.2: no build of it for Node 20 could be downloaded, and compiling it here failed: python: Perm",
        ),
        (
            GYP_ALONE,
            "bcrypt 2.0.1: no build of it for Node 20 could be downloaded, and compiling it here failed: Compl",
        ),
        (LINT, 'its linter stops the build: Component name "Note" should always be multi-word'),
        (NEXT, "Failed to fetch `Space Grotesk` from Google Fonts."),
        (UV_NO_SOLUTION, "Because nosuch was not found in the package registry"),
        (UV_HASH, "Hash mismatch for `itsdangerous==2.2.0`"),
        (UV_BUILD, "Failed to build `pydantic-core==2.14.5`: error: rustup could not choose a version of cargo"),
        (UV_BUILD_PYTHON, "FileNotFoundError: [Errno 2] No such file or directory: '/x/README.md'"),
        (ASTRO, "SCORE_API_ENDPOINT is missing"),
        (ASTRO_EXPORT, 'src/Panel.tsx (24:2): "kinds" is not exported by "src/schema.ts"'),
        (
            TYPES,
            "src/components/Post.astro:4: TS2749: 'Post' refers to a value, but is being used as a type here. (and 1",
        ),
        ("a.ts(3,9): error TS2345: Argument of type 'x'.", "a.ts:3: TS2345: Argument of type 'x'."),
        (BERRY, "this package's own install script failed: Error: no browser here"),
        (
            "error Error: ENOENT: no such file or directory, open '/c/yarn/v6/npm-@x-y-1-integrity/node_modules/@x/y/"
            ".yarn-metadata.json'\ninfo Visit https://yarnpkg.com",
            "yarn could not fetch @x/y: the registry does not give it",
        ),
        (BERRY_LOCK, "The lockfile would have been modified by this install"),
        (VITE, 'src/App.vue (3:7): Failed to resolve import "./Gone.vue"'),
        (NPM_E404, "'nosuch@^1.0.0' is not in this registry"),
        (NPM_SCRIPT, 'Could not resolve "./pages/home"'),
        (TRACEBACK, "ImproperlyConfigured: The SECRET_KEY setting must not be empty."),
        ("one\ncp: cannot stat 'x': No such file or directory\ndone", "cp: cannot stat"),
        ("one\ntwo\n\n", "two"),
        ("", ""),
    ],
)
def test_the_telling_line(log: str, expected: str) -> None:
    assert expected in reason(log.splitlines())


def test_colours_carriage_returns_and_secrets_are_cleared() -> None:
    assert cleaned(
        ["\x1b[31merror\x1b[0m: x", "10%\r50%\r100%", "a hunter2 b\r", "\x1b]0;title\x07y"], ["hunter2"]
    ) == [
        "error: x",
        "100%",
        "a ••• b",
        "y",
    ]


def test_curls_counters_are_no_part_of_what_it_says() -> None:
    assert reason(CURL.splitlines()) == "curl: (6) Could not resolve host: github.com"
    assert is_out_of_reach(CURL.splitlines())
    assert not is_out_of_reach(VITE.splitlines())


def test_a_full_disk_is_recognised() -> None:
    assert is_disk_full(["OSError: [Errno 28] No space left on device"])
    assert is_disk_full(["npm error code ENOSPC"])
    assert not is_disk_full(["disk usage: fine"])


@given(st.lists(st.text(max_size=80), max_size=12))
def test_no_log_is_a_crash(lines: list[str]) -> None:
    assert len(reason(cleaned(lines))) <= 600
