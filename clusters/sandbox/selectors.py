"""Label and field selectors, with the parser's own words for mistakes (k8s-transcript 03)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clusters.sandbox.errors import bad_request
from clusters.sandbox.objectmeta import key_problems, label_value_problems, quoted
from clusters.sandbox.resources import Resource

Object = dict[str, Any]
TOKENS = re.compile(r"\s*(==|!=|[=!,()<>]|[^\s=!,()<>]+)")
SYMBOLS = {"==", "!=", "=", "!", ",", "(", ")", "<", ">"}
OPERATORS = {"in", "notin", "=", "==", "!=", ">", "<"}


@dataclass(frozen=True)
class Requirement:
    key: str
    operator: str  # in, notin, exists, !exists, >, <
    values: frozenset[str] = frozenset()

    def matches(self, labels: Object) -> bool:
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "!exists":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        return self._compares(value)

    def _compares(self, value: Any) -> bool:
        (limit,) = self.values
        if value is None or not str(value).lstrip("-").isdigit():
            return False
        return int(value) > int(limit) if self.operator == ">" else int(value) < int(limit)


def _fail(why: str) -> Exception:
    return bad_request(f"unable to parse requirement: {why}")


def _checked(requirement: Requirement) -> Requirement:
    """Values must be such as labels can have."""
    for i, value in enumerate(sorted(requirement.values)):
        if requirement.operator in {">", "<"}:
            if not value.lstrip("-").isdigit():
                why = "for 'Gt', 'Lt' operators, the value must be an integer"
                raise _fail(f"values[{i}]: Invalid value: {quoted(value)}: {why}")
        elif problems := label_value_problems(value):
            raise _fail(f"values[{i}][{requirement.key}]: Invalid value: {quoted(value)}: {'; '.join(problems)}")
    return requirement


class _Parser:
    def __init__(self, text: str) -> None:
        self.words = TOKENS.findall(text)
        self.at = 0

    def peek(self) -> str:
        return self.words[self.at] if self.at < len(self.words) else ""

    def take(self) -> str:
        word = self.peek()
        self.at += 1
        return word

    def parse(self) -> list[Requirement]:
        """Mistakes inside a requirement are told apart from those between two."""
        out: list[Requirement] = []
        while self.peek():
            if self.peek() in SYMBOLS - {"!"}:
                raise bad_request(f"found '{self.peek()}', expected: !, identifier, or 'end of string'")
            out.append(_checked(self.requirement()))
            word = self.take()
            if not word:
                break
            if word != ",":
                raise bad_request(f"found '{word}', expected: ',' or 'end of string'")
            if not self.peek() or self.peek() in SYMBOLS - {"!"}:
                raise bad_request(f"found '{self.peek()}', expected: identifier after ','")
        return out

    def requirement(self) -> Requirement:
        word = self.take()
        negated = word == "!"
        if negated:
            word = self.take()
        if not word or word in SYMBOLS:
            raise _fail(f"found '{word}', expected: identifier")
        problems = key_problems(word)
        if problems:
            raise _fail(f"<nil>: Invalid value: {quoted(word)}: {'; '.join(problems)}")
        if negated or self.peek() in {"", ","}:
            return Requirement(word, "!exists" if negated else "exists")
        operator = self.take()
        if operator not in OPERATORS:
            raise _fail(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")
        if operator in {"in", "notin"}:
            return Requirement(word, operator, self.values())
        if self.peek() in {"", ","}:
            value = ""
        else:
            value = self.take()
            if value in SYMBOLS:
                raise _fail(f"found '{value}', expected: identifier")
        kind = {"=": "in", "==": "in", "!=": "notin"}.get(operator, operator)
        return Requirement(word, kind, frozenset({value}))

    def values(self) -> frozenset[str]:
        word = self.take()
        if word != "(":
            raise _fail(f"found '{word}' expected: '('")
        if self.peek() == ")":
            self.take()
            return frozenset({""})
        if not self.peek() or self.peek() in SYMBOLS - {","}:
            raise _fail(f"found '{self.peek()}', expected: ',', ')' or identifier")
        out: set[str] = set()
        while self.peek() != ")":
            self._value_into(out)
        self.take()
        return frozenset(out)

    def _value_into(self, out: set[str]) -> None:
        """One value, or the comma behind one; nothing between two commas is an empty value."""
        word = self.take()
        if word == ",":
            if not out or self.peek() in {")", ","}:
                out.add("")
        elif not word or word in SYMBOLS:
            raise _fail(f"found '{word}', expected: ',', or identifier")
        else:
            out.add(word)
            if self.peek() not in {",", ")"}:
                raise _fail(f"found '{self.peek()}', expected: ',' or ')'")


OBJECT_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!exists"}


def matches_selector(selector: Object | None, obj: Object) -> bool:
    """A LabelSelector as objects carry it; an empty one matches everything."""
    labels = obj["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in ((selector or {}).get("matchLabels") or {}).items()):
        return False
    return all(
        Requirement(term["key"], OBJECT_OPERATORS[term["operator"]], frozenset(term.get("values") or ())).matches(
            labels
        )
        for term in (selector or {}).get("matchExpressions") or ()
    )


Predicate = Callable[[Object], bool]


def parse_labels(text: str) -> list[Requirement]:
    return _Parser(text).parse()


def label_predicate(text: str) -> Predicate | None:
    requirements = parse_labels(text)
    if not requirements:
        return None

    def matches(obj: Object) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return all(requirement.matches(labels) for requirement in requirements)

    return matches


# Fields that built-in kinds can be selected by, besides metadata.name and metadata.namespace.
BUILTIN_FIELDS: dict[str, tuple[str, ...]] = {
    "pods": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "secrets": ("type",),
    "namespaces": ("status.phase",),
    "nodes": ("spec.unschedulable",),
    "replicationcontrollers": ("status.replicas",),
    "replicasets.apps": ("status.replicas",),
    "jobs.batch": ("status.successful",),
    "certificatesigningrequests.certificates.k8s.io": ("spec.signerName",),
    "services": ("spec.clusterIP", "spec.type"),
    "events": (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "involvedObject.apiVersion",
        "involvedObject.resourceVersion",
        "involvedObject.fieldPath",
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
}


def field_terms(text: str, resource: Resource) -> list[tuple[str, bool, str]]:
    """(field, equal?, value); an unknown field is the server's 400."""
    allowed = {"metadata.name", "metadata.namespace", *resource.selectable, *BUILTIN_FIELDS.get(resource.key, ())}
    if not resource.namespaced and not resource.custom:
        allowed.discard("metadata.namespace")
    out = []
    for part in sorted(SEPARATOR.split(text)):
        if not part:
            continue
        match = TERM.match(part)
        if match is None:
            raise bad_request(f"invalid selector: '{text}'; can't understand '{part}'")
        out.append((match["name"], match["mark"] != "!=", _unescaped(match["value"])))
    for name, _, _ in out:
        if name not in allowed:
            raise bad_request(_unknown_field(name, resource))
    return out


SEPARATOR = re.compile(r"(?<!\\),")
TERM = re.compile(r"(?P<name>.*?)(?P<mark>!=|==|=)(?P<value>.*)", re.DOTALL)


def _unescaped(value: str) -> str:
    """Commas, equal signs and backslashes stand behind a backslash."""
    out, at = "", 0
    while at < len(value):
        char = value[at]
        if char == "\\":
            if value[at + 1 : at + 2] not in {"\\", ",", "="} or at + 1 == len(value):
                raise bad_request(f"invalid field selector: invalid escape sequence: {value[at : at + 2]}")
            at += 1
            char = value[at]
        elif char in ",=":
            raise bad_request(f"invalid field selector: unescaped character in value: {ord(char)}")
        out += char
        at += 1
    return out


def _unknown_field(name: str, resource: Resource) -> str:
    if resource.custom or resource.key in BUILTIN_FIELDS:
        return f"field label not supported: {name}"
    return f'{quoted(name)} is not a known field selector: only "metadata.name", "metadata.namespace"'


def field_value(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return "false" if path == "spec.unschedulable" else ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def field_predicate(text: str, resource: Resource) -> Predicate | None:
    terms = field_terms(text, resource)
    if not terms:
        return None

    def matches(obj: Object) -> bool:
        return all((field_value(obj, name) == value) == equal for name, equal, value in terms)

    return matches


def predicate(labels: str, fields: str, resource: Resource) -> Predicate | None:
    """Both selectors as one test; None when everything matches."""
    tests = [test for test in (label_predicate(labels), field_predicate(fields, resource)) if test is not None]
    if not tests:
        return None
    if len(tests) == 1:
        return tests[0]
    return lambda obj: tests[0](obj) and tests[1](obj)
