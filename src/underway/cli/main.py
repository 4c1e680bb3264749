"""The `underway` command. Commands are imported when they are called, so that `--version` stays quick."""

from __future__ import annotations

import importlib
import io
import os
import sys
from typing import Any

import click

from underway import __version__
from underway.terms.outcome import EXIT_INTERRUPTED, EXIT_PIPE

COMMANDS: dict[str, tuple[str, str]] = {
    "deploy": ("underway.cli.deploy:deploy", "Make the app in PATH live, or take it back when it is not well."),
    "rollback": ("underway.cli.rollback:rollback", "Go back to an earlier release."),
    "release": ("underway.cli.release:release", "Hold, advance, promote or abort a release on its way."),
    "guard": ("underway.cli.guard:guard", "Try how releases are judged: simulated, or on your access log."),
    "status": ("underway.cli.status:status", "Show what runs."),
    "releases": ("underway.cli.releases:releases", "List an app's releases."),
    "explain": ("underway.cli.explain:explain", "Say why a release was judged as it was."),
    "events": ("underway.cli.events:events", "Show what happened, and with -f what happens."),
    "logs": ("underway.cli.logs:logs", "Show what an app's processes write."),
    "health": ("underway.cli.health:health", "Say whether an app is well, with all that it needs."),
    "errors": ("underway.cli.errors:errors", "List the errors that an app reported, across its releases."),
    "monitors": ("underway.cli.monitors:monitors", "Show what is asked again and again, and how it stands."),
    "alerts": ("underway.cli.alerts:alerts", "Show what is wrong now, acknowledge it or silence it."),
    "security": ("underway.cli.security:security", "Show who tried to get in."),
    "slo": ("underway.cli.slo:slo", "Show what was promised, and how much of each error budget is left."),
    "budgets": ("underway.cli.budgets:budgets", "Show what a month may cost and use, and when it runs out."),
    "metrics": ("underway.cli.metrics:metrics", "Print what is measured, for Prometheus and Grafana."),
    "db": ("underway.cli.db:db", "Look after an app's database."),
    "dashboard": ("underway.cli.dashboard:dashboard", "Look at everything in a browser."),
    "statuspage": ("underway.cli.statuspage:statuspage", "Tell visitors: a public status page and incidents."),
    "access": ("underway.cli.access:access", "Who may use the dashboard: accounts and API tokens."),
    "maintenance": ("underway.cli.maintenance:maintenance", "Show visitors a maintenance page, or the app again."),
    "down": ("underway.cli.down:down", "Stop an app; its data stays."),
    "init": ("underway.cli.init:init", "Write the manifest that was recognised."),
    "env": ("underway.cli.env:env", "Look after an app's variables and secrets."),
    "demo": ("underway.cli.demo:demo", "Play a whole launch in a minute or two."),
    "agent": ("underway.cli.agent:agent", "Run, start, stop or install the agent."),
}


class PipeClosed(Exception):
    """What reads the output went away. (A `BrokenPipeError` itself is turned into exit code 1 by click.)"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed; `--help` reads their one line from here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        _import_msgspec()
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]  # each is a command

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except BrokenPipeError as error:  # --help and --version write here
            raise PipeClosed from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise PipeClosed from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])


def _import_msgspec() -> None:
    """Import msgspec without typing_extensions, which it takes where it finds it and needs before Python 3.11 only.

    That import is a fifth of a command's whole time.
    """
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # None makes an import fail
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules["typing_extensions"]


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", "-V", prog_name="underway", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of a fault of Underway.")
def cli(debug: bool) -> None:
    """Take a web app from its repository to production, and keep it there.

    \b
    Exit codes: 0 live or done · 2 wrong usage · 3 refused, nothing changed · 4 failed before traffic moved,
    the old release untouched · 5 rolled back after traffic moved · 6 live and unwell, with no way back by code ·
    1 a fault of Underway ·
    130 Ctrl-C: the command stopped watching, what it began goes on.
    """


def main(args: list[str] | None = None) -> Any:
    """Run the command line. No traceback reaches a user unless `--debug` asks for it."""
    words = sys.argv[1:] if args is None else args
    is_debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(args=words, prog_name="underway", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_INTERRUPTED)
    except PipeClosed:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(EXIT_PIPE)
    except Exception as error:
        from underway.cli.render.problems import exit_with

        if is_debug:
            raise
        sys.exit(exit_with(error, is_json="--json" in words))
