"""Arguments and options that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli.names import Scope

F = TypeVar("F", bound=Callable[..., Any])
TIMEOUT = 120.0


def _complete(ctx: click.Context, param: click.Parameter, begun: str) -> list[Any]:
    from cli.completion import objects  # noqa: PLC0415  # only while a shell completes

    return objects(ctx, param, begun)


def _style(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    from cli.output import checked  # noqa: PLC0415  # keeps `--help` quick

    return checked(value)


objects = click.argument("wanted", metavar="KIND NAME... | KIND/NAME...", nargs=-1, shell_complete=_complete)
output = click.option(
    "-o",
    "--output",
    "style",
    metavar="FORMAT",
    default="table",
    show_default=True,
    callback=_style,
    help="table, wide, json, yaml, name or jsonpath=TEMPLATE.",
)
made_output = click.option("-o", "--output", "style", type=click.Choice(("json", "yaml", "name")), help="Print it.")
waits = click.option("--wait", "wants_wait", is_flag=True, help="Wait until it is done.")
timeout = click.option("--timeout", metavar="SECONDS", type=click.FloatRange(min=0), default=TIMEOUT, show_default=True)
files = click.option("-f", "--filename", "files", metavar="FILE", multiple=True, help="YAML or JSON; - is stdin.")
dry_run = click.option(
    "--dry-run",
    is_flag=False,
    flag_value="server",
    type=click.Choice(("server", "cluster")),
    help="Only show what it would do; cluster: and what the cluster says to it.",
)


def scoped(command: F) -> F:
    """--vdc, --org and -A, handed on as one `where`."""
    options = (
        click.option("--vdc", metavar="[ORG/]VDC", help="The VDC it is in. Default: the context's."),
        click.option("--org", metavar="ORG", help="The organization it belongs to. Default: the context's."),
        click.option("-A", "--all", "everywhere", is_flag=True, help="Look everywhere, not only in the context's."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def where(options: dict[str, Any]) -> Scope:
    """Takes the options of `scoped` out of the others."""
    return Scope(options.pop("vdc") or None, options.pop("org") or None, options.pop("everywhere"))
