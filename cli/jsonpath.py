"""`-o jsonpath=`: as much of kubectl's template language as people use, without its surprises.

    {.name}   {.items[*].name}   {.items[0]['name']}   {.items[-1:].name}   {..name}
    {.conditions[?(@.type=="Ready")].status}
    {range .items[*]}{.name}{"\\t"}{.phase}{"\\n"}{end}

What is not there prints nothing. Several values are printed with a space between them.
"""

import json
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

from cli.errors import CliError, Exit

Step = Callable[[Any], Iterator[Any]]
COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
_PART = re.compile(r"\{((?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^{}\"'])*)\}|([^{}]+)|([{}])")
_STEP = re.compile(
    r"""\.\.(?P<deep>[\w-]+) | \.(?P<name>[\w-]+|\*) | \[(?P<quoted>'[^']*'|"[^"]*")\] | \[(?P<star>\*)\]
    | \[(?P<start>-?\d*):(?P<end>-?\d*)\] | \[(?P<index>-?\d+)\]
    | \[\?\(\s*@(?P<path>(?:\.[\w-]+)+)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>'[^']*'|"[^"]*"|[\w.-]+)\s*)?\)\]""",
    re.VERBOSE,
)


class Template:
    """Parsed once, so that what is wrong with it is said before anything is asked of the server."""

    def __init__(self, text: str) -> None:
        self._text = text if "{" in text else "{" + (text if text.startswith((".", "[")) else "." + text) + "}"
        self._parts = list(self._parse())

    def fill(self, value: Any) -> str:
        return "".join(_run(iter(self._parts), value, whole=True))

    def _parse(self) -> Iterator[tuple[str, Any]]:
        depth = 0
        for inside, literal, stray in _PART.findall(self._text):
            if stray:
                raise self._wrong(stray)
            if literal:
                yield "text", literal
                continue
            part = inside.strip()
            if part == "end":
                depth -= 1
                yield "end", None
            elif part.startswith("range "):
                depth += 1
                yield "range", self._steps(part[len("range ") :].strip())
            elif part[:1] in ("'", '"'):
                yield "text", _string(part)
            else:
                yield "path", self._steps(part)
            if depth < 0:
                break
        if depth:
            raise self._wrong("range without end, or end without range")

    def _steps(self, path: str) -> list[Step]:
        steps, at, path = [], 0, path.removeprefix("$").removeprefix("@")
        if path == ".":
            return []
        while at < len(path):
            found = _STEP.match(path, at)
            if found is None:
                raise self._wrong(path[at:])
            steps.append(_step(found))
            at = found.end()
        return steps

    def _wrong(self, where: str) -> CliError:
        return CliError(Exit.USAGE, f"The jsonpath {self._text!r} can't be read at {where!r}. Like: {{.items[*].name}}")


def _run(parts: Iterator[tuple[str, Any]], value: Any, *, whole: bool = False) -> Iterator[str]:
    """The text of the parts up to the `end` of their range, or (`whole`) all of them."""
    for kind, what in parts:
        if kind == "end":
            return
        if kind == "text":
            yield what
        elif kind == "path":
            yield " ".join(_shown(item) for item in _walk(what, value))
        else:
            inner, depth = [], 1
            for part in parts:
                depth += {"range": 1, "end": -1}.get(part[0], 0)
                if not depth:
                    break
                inner.append(part)
            for item in _walk(what, value):
                yield from _run(iter(inner), item, whole=True)


def _walk(steps: list[Step], value: Any) -> list[Any]:
    found = [value]
    for step in steps:
        found = [inner for item in found for inner in step(item)]
    return found


def _step(found: "re.Match[str]") -> Step:
    part = found.groupdict()
    if part["deep"]:
        return lambda value: _deep(value, part["deep"])
    if part["star"] or part["name"] == "*":
        return _all
    if part["path"]:
        return lambda value: (item for item in _all(value) if _holds(item, part))
    if part["index"]:
        return lambda value: _slice(value, int(part["index"]), None, one=True)
    if part["start"] is not None:
        start, end = (int(part[key]) if part[key] else None for key in ("start", "end"))
        return lambda value: _slice(value, start, end)
    name = part["name"] or _string(part["quoted"])
    return lambda value: iter([value[name]] if isinstance(value, dict) and name in value else [])


def _all(value: Any) -> Iterator[Any]:
    yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _slice(value: Any, start: int | None, end: int | None, *, one: bool = False) -> Iterator[Any]:
    if not isinstance(value, list):
        return
    if one:
        yield from value[start:][:1] if start is not None and -len(value) <= start else ()
    else:
        yield from value[start:end]


def _deep(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]
    for inner in _all(value):
        yield from _deep(inner, name)


def _holds(item: Any, part: dict[str, Any]) -> bool:
    for name in part["path"][1:].split("."):
        if not isinstance(item, dict) or name not in item:
            return False
        item = item[name]
    if part["op"] is None:
        return True
    wanted = _literal(part["value"])
    try:
        return bool(COMPARED[part["op"]](item, wanted))
    except TypeError:  # a number and a text have no order
        return False


def _literal(text: str) -> Any:
    if text[:1] in ("'", '"'):
        return _string(text)
    try:
        return json.loads(text)
    except ValueError:
        return text


def _string(text: str) -> str:
    if text.startswith("'"):
        return text[1:-1].replace("\\n", "\n").replace("\\t", "\t")
    try:
        return str(json.loads(text))
    except ValueError:
        raise CliError(Exit.USAGE, f"{text} in the jsonpath is no text.") from None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
