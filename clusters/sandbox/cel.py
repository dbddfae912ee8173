"""CEL expressions, compiled by cel-python: checked before they are accepted, evaluated on plain JSON values.

cel-python finds unknown names only when it meets them, so a compiled expression is walked first: a name that nobody
declared, or a function of Kubernetes' libraries that is not below, is refused. It is loaded with the first expression,
as loading takes a third of a second that most sandboxes never need.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from clusters.sandbox import cel_functions

MACROS = {"all", "exists", "exists_one", "map", "filter"}
TYPES = {"int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type"}
GLOBAL = {"has", "size", "type", "int", "uint", "double", "string", "bool", "bytes", "duration", "timestamp", "dyn"}
GLOBAL |= {"matches", *cel_functions.GLOBAL}
METHODS = {"size", "contains", "startsWith", "endsWith", "matches"}
METHODS |= {f"get{part}" for part in ("Date", "DayOfMonth", "DayOfWeek", "DayOfYear", "FullYear", "Month")}
METHODS |= {f"get{part}" for part in ("Hours", "Minutes", "Seconds", "Milliseconds")} | set(cel_functions.METHODS)
EXPECTED = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
OPEN_SCHEMAS = ("additionalProperties", "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")
ROOT_FIELDS = {"apiVersion", "kind", "metadata"}
RESERVED = {
    *("true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import"),
    *("let", "loop", "package", "namespace", "return", "var", "void", "while"),
}
MISSING = re.compile(r"no such member in mapping: '(.*)'")


class CompileError(Exception):
    """The expression can't be accepted; the text is what stands behind "compilation failed: "."""


class EvaluationError(Exception):
    """The expression gave no value."""


class Program:
    """One expression."""

    def __init__(self, text: str, tree: Any, runner: Any, names: frozenset[str]) -> None:
        self.text, self.tree, self.names = text, tree, names
        self._runner = runner

    def value(self, bindings: Mapping[str, Any]) -> Any:
        """The value as cel-python has it; `bindings` hold values that `to_cel` made."""
        cel = _cel()
        try:
            return self._runner.evaluate({name: bindings[name] for name in self.names if name in bindings})
        except cel.CELEvalError as problem:
            raise EvaluationError(_words(str(problem.args[0]))) from problem
        except (TypeError, ValueError, KeyError, ZeroDivisionError) as problem:
            raise EvaluationError(_words(str(problem))) from problem

    def true(self, bindings: Mapping[str, Any]) -> bool:
        value = self.value(bindings)
        if type(value).__name__ not in {"BoolType", "bool"}:
            raise EvaluationError("cel expression should evaluate to a bool")
        return bool(value)

    def message(self, bindings: Mapping[str, Any]) -> str:
        """The text of a messageExpression; empty when it is none, so that the fixed message stands."""
        try:
            value = self.value(bindings)
        except EvaluationError:
            return ""
        text = value.strip() if isinstance(value, str) else ""
        return "" if "\n" in text else text


@lru_cache(maxsize=1)
def _cel() -> Any:
    return importlib.import_module("celpy")


@lru_cache(maxsize=1)
def _environment() -> Any:
    return _cel().Environment()


def to_cel(value: Any) -> Any:
    return None if value is None else _cel().json_to_cel(value)


class Bindings(Mapping[str, Any]):
    """The variables of an expression: JSON values, turned into cel-python's when one is first used."""

    def __init__(self, plain: Mapping[str, Any], ready: Mapping[str, Any] | None = None) -> None:
        self._plain, self._ready = plain, dict(ready or {})

    def __getitem__(self, name: str) -> Any:
        if name not in self._ready:
            self._ready[name] = to_cel(self._plain[name])
        return self._ready[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._plain, **self._ready})

    def __len__(self) -> int:
        return len({**self._plain, **self._ready})

    def plus(self, plain: Mapping[str, Any], ready: Mapping[str, Any] | None = None) -> Bindings:
        """With more variables; `ready` ones are cel-python's values already."""
        return Bindings({**self._plain, **plain}, {**self._ready, **(ready or {})})


@lru_cache(maxsize=1024)
def compiled(text: str, variables: frozenset[str]) -> Program:
    """Raises CompileError."""
    cel = _cel()
    try:
        tree = _environment().compile(text)
    except cel.CELParseError as problem:
        raise CompileError(_syntax(text, problem)) from problem
    names: set[str] = set()
    _check(tree, text, variables, frozenset(), names)
    runner = _environment().program(tree, functions=cel_functions.table())
    return Program(text, tree, runner, frozenset(names))


def _check(tree: Any, text: str, variables: frozenset[str], bound: frozenset[str], names: set[str]) -> None:
    """Every name is declared, every function known; collects the variables used."""
    kind = getattr(tree, "data", None)
    if kind is None:
        return
    children = list(tree.children)
    if kind == "ident":
        _variable(children[0], text, variables, bound, names)
        return
    if kind in {"dot_ident", "dot_ident_arg", "member_object"}:
        raise CompileError("messages and absolute names are not supported by this sandbox")
    if kind == "ident_arg":
        _known(children[0], text, GLOBAL)
    elif kind == "member_dot_arg":
        method, arguments = children[1], getattr(children[2], "children", []) if len(children) > 2 else []
        if str(method) in MACROS:
            _check(children[0], text, variables, bound, names)
            if len(arguments) != 2:
                raise CompileError(
                    f"the macro {method} with {len(arguments)} arguments is not supported by this sandbox"
                )
            inner = bound | {_single_name(arguments[0], text)}
            _check(arguments[1], text, variables, inner, names)
            return
        _known(method, text, METHODS)
    for child in children:
        _check(child, text, variables, bound, names)


def _variable(token: Any, text: str, variables: frozenset[str], bound: frozenset[str], names: set[str]) -> None:
    name = str(token)
    if name in bound or name in TYPES:
        return
    if name == "authorizer":
        raise CompileError(_located(text, token, "the variable 'authorizer' is not supported by this sandbox"))
    if name not in variables:
        raise CompileError(_located(text, token, f"undeclared reference to '{name}' (in container '')"))
    names.add(name)


def _known(token: Any, text: str, known: set[str]) -> None:
    name = str(token)
    if name in known:
        return
    if name in cel_functions.UNSUPPORTED:
        raise CompileError(_located(text, token, f"the function '{name}' is not supported by this sandbox"))
    raise CompileError(_located(text, token, f"undeclared reference to '{name}' (in container '')"))


def _single_name(tree: Any, text: str) -> str:
    """The variable of a macro: an expression that is one name."""
    while getattr(tree, "children", None) and len(tree.children) == 1:
        tree = tree.children[0]
    if getattr(tree, "type", "") != "IDENT":
        raise CompileError(f"argument must be a simple name: {text}")
    return str(tree)


def _located(text: str, token: Any, why: str) -> str:
    return _report(text, why, token.line, token.column)


def _report(text: str, why: str, line: int, column: int) -> str:
    shown = text.splitlines()[line - 1] if text else ""
    return f"ERROR: <input>:{line}:{column}: {why}\n | {shown}\n | {'.' * (column - 1)}^"


def _syntax(text: str, problem: Any) -> str:
    """Where the parser stopped; at the end of the text in the words of the real server (k8s-transcript 10)."""
    cause = problem.__context__
    token = getattr(cause, "token", None)
    if type(cause).__name__ == "UnexpectedEOF" or getattr(token, "type", "") == "$END":
        lines = text.splitlines() or [""]
        return _report(
            text, f"Syntax error: mismatched input '<EOF>' expecting {EXPECTED}", len(lines), len(lines[-1]) + 1
        )
    return _report(text, "Syntax error: unexpected input", problem.line, problem.column)


def with_entry(mapping: Any, name: str, value: Any) -> Any:
    """A copy of a map of cel-python with one entry more."""
    types = _cel().celtypes
    return types.MapType([*mapping.items(), (types.StringType(name), value)])


def check_fields(program: Program, root: str, schema: Mapping[str, Any]) -> None:
    """Raises CompileError for `root.a.b` where the schema knows no such field."""
    _fields(program.tree, program.text, root, schema)


def _fields(tree: Any, text: str, root: str, schema: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The schema of an expression that is a chain from the root; None for all others."""
    kind = getattr(tree, "data", None)
    if kind is None:
        return None
    if kind == "ident":
        return schema if str(tree.children[0]) == root else None
    found = [_fields(child, text, root, schema) for child in tree.children]
    if kind != "member_dot":
        return found[0] if len(found) == 1 else None
    holder, token = found[0], tree.children[1]
    properties = holder.get("properties") if holder is not None else None
    if holder is None or not properties or any(holder.get(key) for key in OPEN_SCHEMAS):
        return None
    sub = {cel_name(name): below for name, below in properties.items()}.get(str(token))
    if sub is None and str(token) not in ROOT_FIELDS:
        raise CompileError(_located(text, token, f"undefined field '{token}'"))
    return sub


def cel_name(name: str) -> str:
    """How a rule spells a property whose name is no CEL name."""
    if name in RESERVED:
        return f"__{name}__"
    if name.isidentifier() and "__" not in name:
        return name
    words = {"__": "__underscores__", ".": "__dot__", "-": "__dash__", "/": "__slash__"}
    for raw, word in words.items():
        name = name.replace(raw, word)
    return name


def _words(text: str) -> str:
    missing = MISSING.search(text)
    if missing:
        return f"no such key: {missing[1]}"
    if "no matching overload" in text or "no such overload" in text:
        return "no such overload"
    return text
