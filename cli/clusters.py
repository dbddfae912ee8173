"""`ovim cluster`: what a system admin does with the clusters that VDCs live on, beside get, create, edit and delete."""

import sys
from typing import Any

import click

from cli import names
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit
from cli.nouns import CLUSTER
from cli.output import emit, plain, say

cluster_name = click.argument("name", metavar="CLUSTER")
kubeconfig = click.option("-f", "--kubeconfig", metavar="FILE", help="Read here; only its one context is sent.")
context = click.option(
    "--context", "of", metavar="NAME", default="", help="Of the kubeconfig. Default: its current one."
)
server = click.option("--server", metavar="URL", help="Instead of a kubeconfig: https://host:port, with --token-stdin.")
token_stdin = click.option("--token-stdin", is_flag=True, help="Read the token from stdin's first line.")
ca = click.option("--ca", metavar="FILE", type=click.File("r"), help="PEM. Default: what the server of OVIM trusts.")


def accessible(command: Any) -> Any:
    """The options that say how a cluster is reached."""
    for option in (ca, token_stdin, server, context, kubeconfig):
        command = option(command)
    return command


def access_of(options: dict[str, Any]) -> Row:
    """Takes the options of `accessible` out of the others; what the API takes for them."""
    file, of, address, from_stdin, authority = (
        options.pop(name) for name in ("kubeconfig", "of", "server", "token_stdin", "ca")
    )
    if bool(file) == bool(address):
        raise CliError(Exit.USAGE, "Say how it is reached: -f KUBECONFIG, or --server URL with --token-stdin.")
    if file:
        from cli.kubeconfigs import one_context  # noqa: PLC0415  # YAML is slow to import

        return {"kubeconfig": one_context(file, of)}
    if not from_stdin:
        raise CliError(Exit.USAGE, "The token is never an option, where others see it: --token-stdin.")
    token = sys.stdin.readline().strip()
    if not token:
        raise CliError(Exit.USAGE, "There is no token on stdin.")
    return {"server": address, "token": token} | ({"ca": authority.read()} if authority else {})


@click.group()
def cluster() -> None:
    """Clusters that VDCs live on: check, cordon, drain, forget, renew. For system admins."""


def _found(context_name: str | None, name: str) -> tuple[Client, Row]:
    client = client_of(context_name)
    return client, names.find(client, CLUSTER, name)


@cluster.command()
@cluster_name
@click.pass_obj
def check(context_name: str | None, /, name: str) -> None:
    """Look into it now: its version, what it can do, what OVIM may do there."""
    client, row = _found(context_name, name)
    found = client.post(f"clusters/{row['id']}/check")
    if found["check_error"] or found["lacking"]:
        told = [f"It lacks: {plain(right)}" for right in found["lacking"]]
        raise CliError(Exit.FAILED, plain(found["check_error"]) or f"cluster {name} lacks rights.", *told)
    for told in found["warnings"]:
        say(plain(told))
    say(f"cluster {name} is as it should be.")


@cluster.command()
@cluster_name
@click.pass_obj
def cordon(context_name: str | None, /, name: str) -> None:
    """No new VDCs there; what is there goes on."""
    _schedulable(context_name, name, wanted=False)


@cluster.command()
@cluster_name
@click.pass_obj
def uncordon(context_name: str | None, /, name: str) -> None:
    """VDCs may be made there again."""
    _schedulable(context_name, name, wanted=True)


def _schedulable(context_name: str | None, name: str, *, wanted: bool) -> None:
    client, row = _found(context_name, name)
    client.ask("PATCH", f"clusters/{row['id']}", body={"schedulable": wanted})
    say(f"cluster {name} takes {'new VDCs again' if wanted else 'no new VDCs'}.")


@cluster.command()
@cluster_name
@click.pass_obj
def drain(context_name: str | None, /, name: str) -> None:
    """Cordon it, and have organizations without VDCs there leave it. VDCs stay."""
    client, row = _found(context_name, name)
    client.post(f"clusters/{row['id']}/drain")
    say(f"cluster {name} takes no new VDCs; organizations that have none there are leaving it.")


@cluster.command()
@cluster_name
@accessible
@click.pass_obj
def renew(context_name: str | None, /, *, name: str, **options: Any) -> None:
    """Another address or credential of the same cluster. It is looked over first."""
    body = access_of(options)
    client, row = _found(context_name, name)
    client.ask("PUT", f"clusters/{row['id']}/access", body=body)
    say(f"cluster {name} is reached by what you gave from now on.")


@cluster.command()
@cluster_name
@click.option("--confirm", metavar="NAME", help="Its name once more. Without it, it is asked for.")
@click.pass_obj
def forget(context_name: str | None, /, name: str, confirm: str | None) -> None:
    """Drop a cluster that is lost for good, with all VDCs and VMs there. What is in it stays behind."""
    client, row = _found(context_name, name)
    if confirm is None:
        if not sys.stdin.isatty():
            raise CliError(Exit.USAGE, "There is no terminal to ask on: give --confirm NAME. Nothing was forgotten.")
        say("Its VDCs and virtual machines go from OVIM, and with them all that is known of their disks.")
        confirm = click.prompt("Type its name to be sure", err=True)
    left = client.post(f"clusters/{row['id']}/forget", {"confirm": confirm})
    say(f"cluster {name} is forgotten. What stays behind there:")
    for kind, count in left["objects"].items():
        emit(plain(f"{count} {kind}"))
    for namespace in left["namespaces"]:
        emit(plain(f"namespace {namespace}"))
