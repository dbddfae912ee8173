"""`ovim completion SHELL`: the script that makes a shell ask `ovim` what could come next, names on the server included."""

from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from cli import names
from cli.client import Client
from cli.config import Contexts
from cli.errors import CliError
from cli.names import Scope
from cli.nouns import BY_WORD, NOUNS, Noun
from cli.output import emit

SECONDS = 2.0  # a person waits with a finger on Tab
MOST = 100
EXAMPLES = {
    "bash": "# In ~/.bashrc: source <(ovim completion bash)",
    "zsh": "# In ~/.zshrc, after compinit: source <(ovim completion zsh)",
    "fish": "# In ~/.config/fish/config.fish: ovim completion fish | source",
}


@click.command()
@click.argument("shell", type=click.Choice(tuple(EXAMPLES)))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes Tab work in SHELL."""
    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"No completion for {shell}.")
    root = ctx.find_root()
    maker = found(root.command, {}, "ovim", "_OVIM_COMPLETE")
    # Not `source()`: it starts a bash to look at its version, and refuses where there is none.
    emit(f"{EXAMPLES[shell]}\n{maker.source_template % maker.source_vars()}")


def objects(ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Kinds, then names of that kind; after KIND/ the names with it. Whatever goes wrong, there is nothing to offer."""
    word, slash, name = begun.partition("/")
    before = list(ctx.params.get("wanted") or ())
    if before and not names.has_kind(before[0]):
        noun = BY_WORD.get(before[0].lower())
        return [CompletionItem(item) for item in _names(ctx, noun, begun) if item not in before] if noun else []
    if slash:
        noun = BY_WORD.get(word.lower())
        return [CompletionItem(f"{word}/{item}") for item in _names(ctx, noun, name)] if noun else []
    return [CompletionItem(kind) for kind in NOUNS if kind.startswith(begun)]


def _names(ctx: click.Context, noun: Noun, begun: str) -> list[str]:
    """Of what the person may see, by the context's scope or that of the options given so far."""
    try:
        client = Client(Contexts.load().pick(ctx.find_root().params.get("context")), SECONDS)
        params: dict[str, Any] = ctx.params
        place = Scope(params.get("vdc"), params.get("org"), bool(params.get("everywhere")))
        query = names.scope(client, noun, place.of(client, noun))
        *above, last = begun.split("/")
        if last and noun.has_detail:
            query["q"] = last
        rows = list(client.rows(noun.path, most=MOST, **query))
    except (CliError, OSError):
        return []
    found = [(noun.full_name(row), str(row.get(noun.key, row["id"]))) for row in rows]
    long = bool(above) or len({short for _, short in found}) < len(found)
    return sorted(name for name in {full if long else short for full, short in found} if name.startswith(begun))
