"""From what a person types to a row: an id, a name that only one has, or a path: `[org/]vdc/vm`, `[org/]vdc`, `[catalog/]item`.

A name that several have is an error that lists them: nothing is guessed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cli.client import Client, Row
from cli.errors import CliError, Exit
from cli.nouns import BY_WORD, NOUNS, Noun

MOST_CANDIDATES = 20


@dataclass(frozen=True)
class Scope:
    """Where names are looked for: as said by --vdc and --org; where nothing is said, in the context's own."""

    vdc: str | None = None
    org: str | None = None
    everywhere: bool = False

    def of(self, client: Client, noun: Noun, parts: Sequence[str] = ()) -> "Scope":
        """With the context's filled in, as far as it narrows this noun and the name's own `parts` do not say it."""
        said = self.everywhere or self.vdc or self.org
        home = () if said else noun.home
        org = self.org or (client.context.org if "org" in home and "org" not in parts else "")
        vdc = self.vdc or (client.context.vdc if "vdc" in home and "vdc" not in parts else "")
        return Scope(vdc or None, (None if "/" in vdc else org) or None)


ANYWHERE = Scope(everywhere=True)
HOME = Scope()


def noun_of(word: str) -> Noun:
    """vms, vdcs, …, also in the singular and by their short words."""
    found = BY_WORD.get(word.lower())
    if found is None:
        raise CliError(Exit.USAGE, f"{word!r} is nothing there is: there are {', '.join(NOUNS)}.")
    return found


def targets(arguments: Sequence[str]) -> list[tuple[Noun, str]]:
    """`vm web db` or `vm/web vdc/dev`, as kubectl takes them → what is meant by each."""
    if not arguments:
        raise CliError(Exit.USAGE, "Say what: KIND NAME or KIND/NAME.")
    if has_kind(arguments[0]):
        strange = next((argument for argument in arguments if not has_kind(argument)), None)
        if strange is not None:
            raise CliError(Exit.USAGE, f"{strange!r} must be KIND/NAME, too, as the first one is.")
        split = [argument.split("/", 1) for argument in arguments]
        return [(noun_of(word), name) for word, name in split]
    noun = noun_of(arguments[0])
    if len(arguments) == 1:
        raise CliError(Exit.USAGE, f"Which {noun.name}? {noun.words[0]} NAME")
    return [(noun, name) for name in arguments[1:]]


def has_kind(argument: str) -> bool:
    word, slash, _ = argument.partition("/")
    return bool(slash) and word.lower() in BY_WORD


def find(client: Client, noun: Noun, name: str, where: Scope = HOME) -> Row:
    """The one row that is meant, as lists show it."""
    if is_id(name):
        return _by_id(client, noun, name)
    found = matches(client, noun, name, where)
    if not found:
        raise CliError(Exit.NOT_FOUND, f"There is no {noun.name} {name!r} that you can see{_narrowed(client, where)}.")
    if len(found) > 1:
        raise CliError(Exit.FAILED, *_ambiguous(client, noun, name, found))
    return found[0]


def whole(client: Client, noun: Noun, row: Row) -> Row:
    """With everything that only a single object's answer has."""
    return client.get(f"{noun.path}/{row['id']}") if noun.has_detail else row


def _by_id(client: Client, noun: Noun, pk: str) -> Row:
    if noun.has_detail:
        return client.get(f"{noun.path}/{pk}")
    found = next((row for row in client.rows(noun.path) if row["id"] == pk.lower()), None)
    if found is None:
        raise CliError(Exit.NOT_FOUND, f"There is no {noun.name} {pk!r} that you can see.")
    return found


def _narrowed(client: Client, where: Scope) -> str:
    """A hint that the context narrows the search: its VDC is easily forgotten."""
    if where.everywhere or where.vdc or where.org or not (client.context.vdc or client.context.org):
        return ""
    return f" in {client.context.vdc or client.context.org}, the context's own (-A looks everywhere)"


def matches(client: Client, noun: Noun, name: str, where: Scope = HOME) -> list[Row]:
    """All rows that the name may mean."""
    if not noun.has_detail:
        raise CliError(Exit.USAGE, f"A {noun.name} has no name: write its id.")
    parts = _parts(noun, name)
    if (where.vdc and "vdc" in parts) or (where.org and "org" in parts):
        raise CliError(Exit.USAGE, f"{name!r} says already what --vdc or --org says: leave one of them out.")
    narrowed = where.of(client, noun, list(parts))
    org = narrowed.org or parts.get("org")
    query = {noun.key: parts["name"]} | scope(client, noun, Scope(narrowed.vdc, org))
    if "vdc" in parts:
        return _in_vdcs(client, noun, query, parts["vdc"])
    rows = list(client.rows(noun.path, most=MOST_CANDIDATES + 1, **query))
    return [row for row in rows if row.get("catalog_name") == parts["catalog"]] if "catalog" in parts else rows


def _in_vdcs(client: Client, noun: Noun, query: dict[str, str], vdc: str) -> list[Row]:
    """The VDC's name may itself be that of several: all of them are looked into."""
    narrowed = {key: value for key, value in query.items() if key == "organization"}
    vdcs = list(client.rows("vdcs", most=MOST_CANDIDATES + 1, name=vdc, **narrowed))
    if not vdcs:
        raise CliError(Exit.NOT_FOUND, f"There is no VDC {vdc!r} that you can see.")
    return [row for found in vdcs for row in client.rows(noun.path, most=2, **query, vdc=found["id"])]


def scope(client: Client, noun: Noun, where: Scope) -> dict[str, str]:
    """The query that narrows a list to a VDC or an organization."""
    found: dict[str, str] = {}
    if where.vdc is not None:
        if "vdc" not in noun.scopes:
            raise CliError(Exit.USAGE, f"--vdc means nothing for {noun.path}.")
        found["vdc"] = id_of(client, NOUNS["vdcs"], where.vdc, Scope(org=where.org))
    if where.org is not None:
        if "org" not in noun.scopes:
            raise CliError(Exit.USAGE, f"--org means nothing for {noun.path}.")
        found["organization"] = id_of(client, NOUNS["organizations"], where.org, ANYWHERE)
    return found


def id_of(client: Client, noun: Noun, name: str, where: Scope = HOME) -> str:
    return name if is_id(name) else str(find(client, noun, name, where)["id"])


def is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _parts(noun: Noun, name: str) -> dict[str, str]:
    """`acme/dev/web` → org, vdc, name; fewer parts are the last ones."""
    known, given = noun.parts, name.split("/")
    if len(given) > len(known) or not all(given):
        shape = "/".join(f"{part.upper()}" for part in known)
        raise CliError(Exit.USAGE, f"{name!r} is no name of a {noun.name}: write its id, NAME or {shape}.")
    return dict(zip(known[-len(given) :], given, strict=True))


def _ambiguous(client: Client, noun: Noun, name: str, rows: Sequence[Row]) -> list[str]:
    shown = rows[:MOST_CANDIDATES]
    lines = [f"{name!r} may mean several things. Write one of these, or the id:"]
    owners: dict[str, Any] = {}
    if any(row.get("organization") and "organization_name" not in row for row in shown):
        owners = {row["id"]: row["name"] for row in client.rows("organizations", most=1000)}
    for row in shown:
        owner = owners.get(row.get("organization") or "")
        lines.append(f"  {f'{owner}/' if owner else ''}{noun.full_name(row)}  {row['id']}")
    return [*lines, *(["  and more"] if len(rows) > len(shown) else [])]
