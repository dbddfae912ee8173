"""The `ovim` command: its verbs, and the one place where an error becomes sentences on stderr and an exit code.

A verb's module is imported when the verb is used: a shell that completes, or a script's loop, waits for every import.
"""

import io
import sys
from collections.abc import Sequence
from importlib import import_module

import click

from cli import __version__
from cli.errors import CliError, Exit, PipeClosed

# verb → (module, the command in it, what it does)
VERBS = {
    "adopt": ("foreign", "adopt", "Take a VM over that OVIM did not make."),
    "audit": ("audit", "audit", "Export the audit log."),
    "auth": ("auth", "auth", "Whether one may do something, by what, or why not."),
    "cluster": ("clusters", "cluster", "Check, cordon, drain, renew and forget clusters."),
    "completion": ("completion", "completion", "Print what makes Tab work in bash, zsh or fish."),
    "config": ("contexts", "config", "Contexts: servers, as whom, and where in them."),
    "create": ("create", "create", "Make things: of one kind by options, or from files."),
    "delete": ("change", "delete", "Delete things for good; VMs with their disks."),
    "describe": ("read", "describe", "Everything about things, to read."),
    "diff": ("diff", "diff", "Compare files with what there is, or things with their cluster."),
    "disable": ("accounts", "disable", "No more access, for people or an organization."),
    "doctor": ("doctor", "doctor", "Check everything between here and there."),
    "edit": ("edit", "edit", "Change an object in $EDITOR."),
    "enable": ("accounts", "enable", "Access again."),
    "events": ("events", "events", "What was done to things, and what the cluster said."),
    "get": ("read", "get", "List things, or show those with the given names."),
    "invite": ("invite", "invite", "Invite people into an organization by mail."),
    "login": ("sign_in", "login", "Sign in to a server."),
    "logout": ("sign_in", "logout", "End the session, on the server and here."),
    "logs": ("logs", "logs", "What happened to things, line by line; -f follows."),
    "order": ("change", "order", "Decide what OVIM won't decide by itself, on a VM."),
    "resend": ("invite", "resend", "Send an invitation again."),
    "reset-password": ("accounts", "reset_password", "Another password for people, made up and told once."),
    "restore": ("accounts", "restore", "Undo the deletion of an organization."),
    "start": ("change", "start", "Start virtual machines."),
    "stop": ("change", "stop", "Stop virtual machines."),
    "wait": ("change", "wait_for", "Wait until things are as wanted."),
}


class Verbs(click.Group):
    """All verbs, by name; each is loaded when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, name, _ = VERBS[cmd_name]
        command: click.Command = getattr(import_module(f"cli.{module}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, told) for verb, (_, _, told) in VERBS.items()])


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--context", metavar="NAME", envvar="OVIM_CONTEXT", help="Which server. Default: the current context.")
@click.option("--no-retry", is_flag=True, envvar="OVIM_NO_RETRY", help="Do not wait and send again when told to.")
@click.option("--token", metavar="TOKEN", envvar="OVIM_TOKEN", help="As whom. Others see arguments: better OVIM_TOKEN.")
@click.version_option(__version__, prog_name="ovim")
@click.pass_context
def cli(ctx: click.Context, context: str | None, no_retry: bool, token: str | None) -> None:
    """Virtual machines in your organization's data centers.

    Data goes to stdout, words to stderr. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not found,
    4 not signed in or not allowed, 5 conflict or stale, 6 quota, 7 server unreachable, 8 waited too long,
    9 there are differences (diff).
    """
    ctx.obj = context


def run(arguments: Sequence[str] | None = None) -> int:
    """One command; its exit code."""
    try:
        code = cli.main(args=arguments, prog_name="ovim", standalone_mode=False)
    except CliError as error:
        _say(*error.lines, first="Error: ")
        return error.code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("Stopped. What was asked of the server goes on there.")
        return Exit.INTERRUPTED
    except PipeClosed:
        return Exit.PIPE_CLOSED
    return code if isinstance(code, int) else Exit.OK


def _say(*lines: str, first: str = "") -> None:
    from cli.output import say  # noqa: PLC0415  # `--version` and `--help` need nothing of it

    for number, line in enumerate(lines):
        say(line if number else first + line)


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that can't show a character must not end the command
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(int(run()))
