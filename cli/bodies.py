"""Between a file and the API: which fields of an object are sent when it is made or changed, and by which names."""

import sys
from typing import Any

from cli import names
from cli.client import Client, Row
from cli.errors import CliError, Exit
from cli.nouns import BY_WORD, KINDS, NOUNS, Noun
from cli.yamls import Document, documents

MASK = "•••"
ALIASES = {"memory": "memory_mib", "disk": "disk_gib"}


def read_files(paths: tuple[str, ...]) -> list[tuple[Noun, Document]]:
    """All objects of all files (`-`: stdin), each with its kind. Whatever is wrong in any of them is told at once."""
    found: list[tuple[Noun, Document]] = []
    wrong: list[str] = []
    for path in paths:
        for document in documents(_content(path), "stdin" if path == "-" else path):
            noun = _kind(document, wrong)
            if noun is not None:
                found.append((noun, document))
    if wrong:
        raise CliError(Exit.USAGE, "The file can't be used. Nothing was sent.", *wrong)
    return found


def _content(path: str) -> str:
    try:
        if path == "-":
            return sys.stdin.read()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except OSError as error:
        raise CliError(Exit.USAGE, f"{path} can't be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise CliError(Exit.USAGE, f"{path} is not text in UTF-8.") from None


def _kind(document: Document, wrong: list[str]) -> Noun | None:
    kind = document.value.get("kind")
    noun = BY_WORD.get(str(kind).lower())
    if noun is None:
        wrong.append(f"  {document.place('kind')}kind: {', '.join(KINDS)}; not {kind!r}")
    elif not noun.made:
        wrong.append(f"  {document.place('kind')}kind: a {noun.name} is not made through the API")
    elif noun.has_detail and not isinstance(document.value.get(noun.key), str):
        wrong.append(f"  {document.place(noun.key)}{noun.key}: every {noun.name} needs one, a text")
    elif document.value.get("user_data") == MASK:
        wrong.append(
            f"  {document.place('user_data')}user_data: it was masked when this was read; put the real one here, "
            "or leave it out"
        )
    else:
        return noun
    return None


def body_of(client: Client, noun: Noun, document: Document) -> Row:
    """What POST takes. Fields that only the server writes are left out; those that nobody knows go to it, to be refused."""
    given = {key: value for key, value in document.value.items() if key != "kind"}
    body = {key: value for key, value in given.items() if key in noun.made or key not in noun.shown | set(noun.edited)}
    if noun.name == "vm":
        _from_disks(given, body)
    for field, plural in noun.refs.items():
        if isinstance(body.get(field), str):
            body[field] = _referred(client, field, NOUNS[plural], body[field], document)
        elif body.get(field) is None and field in home_fields(noun):
            body |= _home(client, field)
    return {key: value for key, value in body.items() if value is not None}


def _from_disks(given: Row, body: Row) -> None:
    """A VM that was read back tells its first disk under `disks`; given, it was two fields of the VM."""
    first: Row = next(iter(given.get("disks") or ()), {})
    if first.get("storage_class"):
        body.setdefault("storage_class", first["storage_class"])
    if first.get("image_url") and not body.get("catalog_item"):
        body.setdefault("image_url", first["image_url"])


def _referred(client: Client, field: str, noun: Noun, name: str, document: Document) -> str:
    try:
        return names.id_of(client, noun, name)
    except CliError as error:
        first, *more = error.lines
        raise CliError(error.code, f"{document.place(field)}{field}: {first}", *more) from None


def home_fields(noun: Noun) -> tuple[str, ...]:
    """The fields that the context fills in: a VM's VDC, a VDC's and a user's organization."""
    return {"vm": ("vdc",), "vdc": ("organization",)}.get(noun.name, ())


def _home(client: Client, field: str) -> Row:
    context = client.context
    if field == "vdc" and context.vdc:
        return {"vdc": names.id_of(client, NOUNS["vdcs"], context.vdc)}
    if field == "organization" and context.org:
        return {"organization": names.id_of(client, NOUNS["organizations"], context.org)}
    return {}


def changed(noun: Noun, row: Row, wanted: Row) -> Row:
    """What PATCH takes: the editable fields that `wanted` has and that are not so already."""
    plain = {ALIASES.get(key, key): value for key, value in wanted.items()}
    fields = {ALIASES.get(key, key) for key in noun.edited}
    return {key: plain[key] for key in plain if key in fields and not _same(key, plain[key], row.get(key))}


def _same(field: str, wanted: Any, now: Any) -> bool:
    """`8Gi` and 8192 are the same memory; other ways of writing a number are left to the server to compare."""
    return bool(_number(field, wanted) == _number(field, now))


def _number(field: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _number(key, inner) for key, inner in value.items()}
    unit = field.partition("/")[0]
    factor = {"memory_mib": {"Mi": 1, "Gi": 1024, "Ti": 1024**2}, "disk_gib": {"Gi": 1, "Ti": 1024}}.get(unit, {})
    if isinstance(value, str) and value[:-2].isdigit() and value[-2:] in factor:
        return int(value[:-2]) * factor[value[-2:]]
    return int(value) if isinstance(value, str) and unit == "cpu" and value.isdigit() else value


def locked_away(noun: Noun, row: Row, wanted: Row) -> list[str]:
    """Fields that the file wants otherwise but that never change once the object is made."""
    plain = {ALIASES.get(key, key): value for key, value in wanted.items()}
    fixed = {ALIASES.get(key, key) for key in noun.made} - {ALIASES.get(key, key) for key in noun.edited}
    return [key for key in sorted(fixed) if key in plain and key in row and not _same(key, plain[key], row[key])]
