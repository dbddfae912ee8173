"""From what a person types to a row: an id, a name that only one has, or a path: `[org/]vdc/vm`, `[org/]vdc`, `[catalog/]item`.

A name that several have is an error that lists them: nothing is guessed.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from cli.client import Client, Row
from cli.errors import CliError, Exit
from cli.nouns import NOUNS, Noun

MOST_CANDIDATES = 20
PARTS = {"vm": ("org", "vdc", "name"), "vdc": ("org", "name"), "catalog item": ("org", "catalog", "name")}
PARTS |= {"catalog": ("org", "name"), "organization": ("name",)}


def find(client: Client, noun: Noun, name: str, *, vdc: str | None = None, org: str | None = None) -> Row:
    """The one row that is meant."""
    if is_id(name):
        return client.get(f"{noun.path}/{name}")
    found = matches(client, noun, name, vdc=vdc, org=org)
    if not found:
        raise CliError(Exit.NOT_FOUND, f"There is no {noun.name} {name!r} that you can see.")
    if len(found) > 1:
        raise CliError(Exit.FAILED, *_ambiguous(client, noun, name, found))
    return found[0]


def matches(client: Client, noun: Noun, name: str, *, vdc: str | None = None, org: str | None = None) -> list[Row]:
    """All rows that the name may mean."""
    parts = _parts(noun, name)
    if (vdc and "vdc" in parts) or (org and "org" in parts):
        raise CliError(Exit.USAGE, f"{name!r} says already what --vdc or --org says: leave one of them out.")
    query = {"name": parts["name"]} | scope(client, noun, vdc=vdc, org=org or parts.get("org"))
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


def scope(client: Client, noun: Noun, *, vdc: str | None = None, org: str | None = None) -> dict[str, str]:
    """The query that narrows a list to a VDC or an organization."""
    found: dict[str, str] = {}
    if vdc is not None:
        if not noun.by_vdc:
            raise CliError(Exit.USAGE, f"--vdc means nothing for {noun.path}.")
        found["vdc"] = vdc if is_id(vdc) else find(client, NOUNS["vdcs"], vdc, org=org)["id"]
    if org is not None:
        if noun.name == "organization":
            raise CliError(Exit.USAGE, "--org means nothing for organizations.")
        found["organization"] = org if is_id(org) else find(client, NOUNS["organizations"], org)["id"]
    return found


def is_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _parts(noun: Noun, name: str) -> dict[str, str]:
    """`acme/dev/web` → org, vdc, name; fewer parts are the last ones."""
    known, given = PARTS[noun.name], name.split("/")
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
