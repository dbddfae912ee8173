"""The `ovim` command: its verbs, and the one place where an error becomes sentences on stderr and an exit code."""

import io
import sys
from collections.abc import Sequence

import click

from cli import __version__
from cli.change import create, delete, start, stop, wait_for
from cli.errors import CliError, Exit, PipeClosed
from cli.output import say
from cli.read import describe, get
from cli.sign_in import config, login, logout


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--context", metavar="NAME", envvar="OVIM_CONTEXT", help="Which server. Default: the current context.")
@click.version_option(__version__, prog_name="ovim")
@click.pass_context
def cli(ctx: click.Context, context: str | None) -> None:
    """Virtual machines in your organization's data centers.

    Data goes to stdout, words to stderr. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not found,
    4 not signed in or not allowed, 5 conflict or stale, 6 quota, 7 server unreachable, 8 waited too long.
    """
    ctx.obj = context


for command in (login, logout, config, get, describe, create, start, stop, delete, wait_for):
    cli.add_command(command)


def run(arguments: Sequence[str] | None = None) -> int:
    """One command; its exit code."""
    try:
        code = cli.main(args=arguments, prog_name="ovim", standalone_mode=False)
    except CliError as error:
        for prefix, line in zip(("Error: ", *[""] * len(error.lines)), error.lines, strict=False):
            say(prefix + line)
        return error.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        say("Stopped. What was asked of the server goes on there.")
        return Exit.INTERRUPTED
    except PipeClosed:
        return Exit.PIPE_CLOSED
    return code if isinstance(code, int) else Exit.OK


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that can't show a character must not end the command
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(int(run()))
