"""`ovim edit`: the object as YAML in $EDITOR; what was changed goes to the server, if nobody else changed it meanwhile."""

import os
import shlex
import subprocess
import tempfile
from dataclasses import dataclass, field
from typing import Any

import click

from cli import names, plan
from cli.bodies import changed
from cli.client import Client, Row, client_of
from cli.errors import CliError, Exit, Problem
from cli.nouns import Noun
from cli.options import dry_run, objects, scoped, where
from cli.output import plain, say
from cli.yamls import documents, written

HEAD = """# Change what you like, save and close. A file without changes, or an empty one, changes nothing.
# Lines that begin with '#' are not read.
"""


@click.command()
@objects
@scoped
@dry_run
@click.pass_obj
def edit(context_name: str | None, /, *, wanted: tuple[str, ...], dry_run: str | None, **options: Any) -> None:
    """Change an object in $EDITOR."""
    place, meant = where(options), names.targets(wanted)
    client = client_of(context_name)
    for noun, name in meant:
        if not noun.edited:
            raise CliError(Exit.USAGE, f"A {noun.name} can't be edited through the API.")
        row = names.whole(client, noun, names.find(client, noun, name, place))
        _edit(client, noun, row, dry_run)


@dataclass
class Draft:
    """What is in the editor. `said`: comments on top of it, why it is there again."""

    noun: Noun
    row: Row
    wanted: Row
    said: list[str] = field(default_factory=list)
    code: Exit = Exit.FAILED
    raw: str = ""  # what could not even be read: it comes back as it was

    @property
    def text(self) -> str:
        if self.raw:
            return "".join(f"# {plain(line)}\n" for line in self.said) + self.raw
        rest = {key: value for key, value in self.row.items() if key not in self.wanted}
        fixed = "".join(f"# {line}\n" for line in written(rest).splitlines())
        said = "".join(f"# {plain(line)}\n" for line in self.said)
        object_ = written({"kind": self.noun.words[0]} | self.wanted)
        return f"{HEAD}{said}#\n{object_}#\n# As it is besides, not to be changed here:\n{fixed}"


def _edit(client: Client, noun: Noun, row: Row, mode: str | None) -> None:
    draft = Draft(noun, row, _editable(noun, row))
    while True:
        text = draft.text
        answer = _in_editor(text, noun)
        if not _content(answer) or _content(answer) == _content(text):
            if draft.said:
                raise CliError(draft.code, "It was not changed.", *draft.said, f"Your text is kept in {_kept(answer)}")
            say("Nothing was changed.")
            return
        try:
            wanted = _read(noun, draft.row, answer)
            changes = changed(noun, draft.row, wanted)
            if not changes:
                say("Nothing was changed.")
                return
            _send(client, noun, draft.row, changes, mode)
            return
        except Problem as problem:
            if problem.status == 412:
                draft = _rebased(draft, names.whole(client, noun, draft.row), wanted)
            elif problem.status in (400, 409, 422):
                draft = Draft(
                    noun,
                    draft.row,
                    _editable(noun, draft.row) | _fields(noun, wanted),
                    list(problem.lines),
                    problem.code,
                )
            else:
                raise CliError(problem.code, *problem.lines, f"Your text is kept in {_kept(answer)}") from None
        except CliError as error:
            if error.code != Exit.USAGE:
                raise CliError(error.code, *error.lines, f"Your text is kept in {_kept(answer)}") from None
            draft = Draft(noun, draft.row, draft.wanted, list(error.lines), error.code, raw=answer)


def _send(client: Client, noun: Noun, row: Row, changes: Row, mode: str | None) -> None:
    path = f"{noun.path}/{row['id']}"
    if mode:
        answer = plan.ask(client, "PATCH", path, mode, body=changes, generation=row.get("generation"))
        plan.show(answer, f"{plan.target(noun, row)} would be changed:", row)
        return
    client.ask("PATCH", path, body=changes, generation=row.get("generation"))
    say(f"{plan.target(noun, row)} changed: {', '.join(changes)}.")


def _editable(noun: Noun, row: Row) -> Row:
    found = {key: row[key] for key in noun.edited if key in row}
    return {noun.key: row[noun.key]} | found


def _fields(noun: Noun, wanted: Row) -> Row:
    return {key: value for key, value in wanted.items() if key != "kind"}


def _rebased(draft: Draft, now: Row, wanted: Row) -> Draft:
    """Somebody else changed it: what both changed is said, and what this person wants stands in the text."""
    mine = changed(draft.noun, draft.row, wanted)
    said = ["Somebody changed it while you did. Below is how it is now, with your changes in it."]
    said += [
        f"  {key}: it was {draft.row.get(key)!r}, they made it {now.get(key)!r}, you want {mine[key]!r}"
        for key in mine
        if now.get(key) != draft.row.get(key)
    ]
    said.append("Look at it and save once more, or empty the file to leave it as it is.")
    return Draft(draft.noun, now, _editable(draft.noun, now) | mine, said, Exit.CONFLICT)


def _read(noun: Noun, row: Row, text: str) -> Row:
    found = documents(text, "your text")
    if len(found) != 1:
        raise CliError(Exit.USAGE, "There must be one object in the text.")
    document = found[0]
    fixed = {"kind": noun.words[0], noun.key: row[noun.key]}
    wrong = [
        f"  {document.place(key)}{key} can't be changed"
        for key, value in document.value.items()
        if key not in noun.edited and fixed.get(key) != value
    ]
    if wrong:
        raise CliError(Exit.USAGE, "The text can't be used.", *wrong)
    return document.value


def _content(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _in_editor(text: str, noun: Noun) -> str:
    """The text after the editor. The file is this person's alone: there may be secrets in it."""
    command = shlex.split(os.environ.get("OVIM_EDITOR") or os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    handle, path = tempfile.mkstemp(prefix=f"ovim-edit-{noun.words[0]}-", suffix=".yaml")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        try:
            code = subprocess.run([*command, path], check=False).returncode
        except OSError as error:
            raise CliError(
                Exit.FAILED, f"The editor {command[0]!r} can't be started: {error.strerror}.", "Set EDITOR."
            ) from None
        if code:
            raise CliError(Exit.FAILED, f"The editor ended with {code}. Nothing was changed.")
        with open(path, encoding="utf-8") as file:
            return file.read()
    finally:
        os.unlink(path)


def _kept(text: str) -> str:
    handle, path = tempfile.mkstemp(prefix="ovim-edit-", suffix=".yaml")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return path
