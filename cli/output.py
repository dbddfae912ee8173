"""Data on stdout, words for people on stderr, and nothing of what others typed may steer the terminal."""

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from cli.errors import CliError, Exit, PipeClosed
from cli.nouns import Cell, Noun, Row

FORMATS = ("table", "wide", "json", "yaml", "name")
JSONPATH = "jsonpath="
GAP = "   "


def emit(text: str, end: str = "\n") -> None:
    """To stdout, now: a reader that has gone away is noticed here and nowhere else."""
    try:
        sys.stdout.write(text + end)
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered would fail again when Python ends; it has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise PipeClosed from None
        raise CliError(Exit.FAILED, f"The output can't be written: {error.strerror}.") from None


def say(text: str) -> None:
    """To stderr: for people, never data."""
    with suppress(OSError):  # nobody listens: what is done stays done, and the exit code tells
        sys.stderr.write(plain(text) + "\n")
        sys.stderr.flush()


def say_error(error: CliError) -> None:
    for number, line in enumerate(error.lines):
        say(line if number else "Error: " + line)


def plain(text: str) -> str:
    """On one line and without control characters: names and descriptions are other people's input."""
    return "".join(char if char.isprintable() else " " for char in text)


class Table:
    """Left-aligned columns as wide as what is in them. Rows that come later (watching) keep to the first widths."""

    def __init__(self, columns: Mapping[str, Cell]) -> None:
        self.columns = columns
        self.widths: list[int] = []

    def lines(self, rows: Sequence[Row], *, header: bool = True) -> list[str]:
        cells = [[plain(cell(row)) or "-" for cell in self.columns.values()] for row in rows]
        if header:
            cells.insert(0, list(self.columns))
        if not self.widths:
            self.widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return [
            GAP.join(cell.ljust(width) for cell, width in zip(line, self.widths, strict=True)).rstrip()
            for line in cells
        ]


def table(noun: Noun, style: str) -> Table:
    return Table({**noun.columns, **(noun.wide if style == "wide" else {})})


def checked(style: str, more: Sequence[str] = FORMATS) -> str:
    """The style if there is one of that name and its jsonpath can be read; else a usage error."""
    if style.startswith(JSONPATH):
        from cli.jsonpath import Template  # noqa: PLC0415  # seldom needed

        Template(style[len(JSONPATH) :])
    elif style not in more:
        raise CliError(Exit.USAGE, f"-o {style}: there are {', '.join(more)}, jsonpath=TEMPLATE.")
    return style


def is_structured(style: str) -> bool:
    return style in ("json", "yaml") or style.startswith(JSONPATH)


def named(noun: Noun, row: Row) -> dict[str, Any]:
    """As files have it: with its kind first, so that a file says what it is (`ovim create -f`)."""
    return {"kind": noun.words[0], **row}


def show(
    noun: Noun, rows: Sequence[Row], style: str, *, one: bool = False, header: bool = True, with_kind: bool = False
) -> None:
    """Rows in the wanted format. `one`: a single object was asked for, so JSON and YAML are it, not a list."""
    if is_structured(style):
        emit_value([named(noun, row) for row in rows], style, one=one)
    elif style == "name":
        names(noun, rows, with_kind=with_kind)
    elif rows:
        emit("\n".join(table(noun, style).lines(rows, header=header)))
    else:
        say(f"No {noun.plural} found.")


def emit_value(rows: Sequence[Mapping[str, Any]], style: str, *, one: bool) -> None:
    value: Any = rows[0] if one else {"items": list(rows)}
    emit(structured(value, style), "" if style.startswith(JSONPATH) and not sys.stdout.isatty() else "\n")


def names(noun: Noun, rows: Iterable[Row], *, with_kind: bool = False) -> None:
    prefix = f"{noun.words[0]}/" if with_kind else ""
    found = [prefix + plain(noun.full_name(row)) for row in rows]
    if found:
        emit("\n".join(found))


def structured(value: Any, style: str) -> str:
    if style == "json":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if style.startswith(JSONPATH):
        from cli.jsonpath import Template  # noqa: PLC0415  # seldom needed

        return Template(style[len(JSONPATH) :]).fill(value)
    from cli.yamls import written  # noqa: PLC0415  # only where it is asked for: a third of the start-up time

    return written(value).rstrip("\n")
