"""YAML in and out. Coming in, every field's line is kept, so that a refusal can name it."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from cli.errors import CliError, Exit

LARGEST = 4 * 1024 * 1024
MOST_FIELDS = 100_000  # a few aliases of aliases would make any number of them


@dataclass
class Document:
    """One object from a file. `lines`: dotted path of a field → its line; `""` is the object's own."""

    file: str
    value: dict[str, Any]
    lines: dict[str, int] = field(default_factory=dict)

    def place(self, path: str) -> str:
        """ "vm.yaml:7: " for the field or whatever is nearest above it."""
        while path and path not in self.lines:
            path = path.rpartition(".")[0] if "." in path else path.rpartition("[")[0]
        return f"{self.file}:{self.lines.get(path, self.lines.get('', 1))}: "


def documents(text: str, file: str) -> list[Document]:
    """All objects of the file, lists of them (`items:`) taken apart. CliError naming every line that is none."""
    if len(text) > LARGEST:
        raise CliError(Exit.USAGE, f"{file} is too large.")
    try:
        nodes = [node for node in yaml.compose_all(text, _Loader) if node is not None]
    except yaml.YAMLError as error:
        raise CliError(Exit.USAGE, f"{file}{_at(error)} is no YAML: {_cause(error)}. Nothing was sent.") from None
    wrong: list[str] = []
    found = [document for node in nodes for document in _objects(node, file, wrong)]
    if wrong:
        raise CliError(Exit.USAGE, f"{file} can't be used. Nothing was sent.", *wrong)
    if not found:
        raise CliError(Exit.USAGE, f"There is nothing in {file}.")
    return found


def written(value: Any) -> str:
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False)
    return text


class _Loader(yaml.SafeLoader):
    """Without dates: a description `2026-01-01` is a text, as it was given."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for key, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as blocks, as people write them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _objects(node: yaml.Node, file: str, wrong: list[str]) -> Iterator[Document]:
    if not isinstance(node, yaml.MappingNode):
        wrong.append(f"  {file}:{node.start_mark.line + 1}: an object is wanted: kind: vm, name: …")
        return
    lines: dict[str, int] = {"": node.start_mark.line + 1}
    before = len(wrong)
    _note(node, "", lines, file, wrong)
    items = next((value for key, value in node.value if key.value == "items"), None)
    if isinstance(items, yaml.SequenceNode):
        for item in items.value:
            yield from _objects(item, file, wrong)
        return
    if len(wrong) > before:
        return
    loader = _Loader("")
    try:
        yield Document(file, loader.construct_document(node), lines)
    except yaml.YAMLError as error:
        wrong.append(f"  {file}{_at(error)}: {_cause(error)}")
    finally:
        loader.dispose()


def _note(node: yaml.Node, path: str, lines: dict[str, int], file: str, wrong: list[str]) -> None:
    """The line of every field; a field that is there twice is an error, not the last one."""
    if len(lines) > MOST_FIELDS:
        raise CliError(Exit.USAGE, f"{file} is too large. Nothing was sent.")
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            name = f"{path}.{key.value}" if path else str(key.value)
            if key.value in seen:
                wrong.append(f"  {file}:{key.start_mark.line + 1}: {name} is there twice")
            seen.add(str(key.value))
            lines[name] = key.start_mark.line + 1
            _note(value, name, lines, file, wrong)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines[f"{path}[{number}]"] = item.start_mark.line + 1
            _note(item, f"{path}[{number}]", lines, file, wrong)


def _at(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _cause(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or getattr(error, "reason", None) or error).rstrip(".")
