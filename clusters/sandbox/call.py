"""One request, parsed: what it is about, who asks, with which options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from clusters.sandbox.errors import FieldError, bad_request, invalid
from clusters.sandbox.questions import Memory
from clusters.sandbox.resources import Resource

Object = dict[str, Any]
T = TypeVar("T")
MANAGER_LIMIT = 128


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def truth(query: Mapping[str, str], name: str) -> bool:
    """A switch in a query: whatever it says but "false" and "0" turns it on."""
    return name in query and query[name].lower() not in {"false", "0"}


INT64 = 2**63


def parse_int(text: str) -> int:
    """A number in a query; Go's words for what is none."""
    try:
        number = int(text)
    except ValueError as problem:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from problem
    if not -INT64 <= number < INT64:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": value out of range')
    return number


@dataclass(slots=True)
class User:
    """The asker; `admin` is the holder of the server's token or an in-process controller."""

    name: str = "kubernetes-admin"
    groups: tuple[str, ...] = ("system:masters", "system:authenticated")
    admin: bool = True
    uid: str = ""
    extra: dict[str, list[str]] = field(default_factory=dict)

    def info(self) -> Object:
        """The UserInfo that reviews and webhooks read."""
        out: Object = {"username": self.name}
        if self.uid:
            out["uid"] = self.uid
        if self.groups:
            out["groups"] = list(self.groups)
        if self.extra:
            out["extra"] = self.extra
        return out


@dataclass(slots=True)
class Call:
    """A write or delete on one object."""

    resource: Resource
    namespace: str | None
    name: str
    subresource: str = ""
    manager: str = "unknown"
    force: bool = False
    dry_run: bool = False
    validation: str = "Warn"
    user: User = field(default_factory=User)
    warnings: list[str] = field(default_factory=list)
    raw: bytes = b""
    duplicates: list[str] = field(default_factory=list)  # fields that the body names twice
    unknown: list[str] = field(default_factory=list)  # fields of the operations of a JSON patch that mean nothing
    media: str = ""  # how a patch is written; empty for other writes
    owned_as: str = ""  # the subresource that owners of fields are noted with, where it is another view of the object
    rewrite: bool = False  # stored under a new version though nothing changes
    internal: bool = False  # a controller of the sandbox itself
    options: Object = field(default_factory=dict)  # as webhooks read them: fieldManager, fieldValidation, …
    memory: Memory | None = None  # only where webhooks are configured
    generated: bool = False  # the server made the name up
    owned: list[Object] = field(default_factory=list)  # managedFields of a new object, for webhooks to see

    def once(self, what: str, make: Callable[[], T]) -> T:
        """What must be the same when the write is run again with the answers of webhooks."""
        return make() if self.memory is None else self.memory.once(what, make)

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


def write_options(call: Call, query: Mapping[str, str], kind: str, user_agent: str) -> None:
    """Fills the options of a write; raises the 422 that names CreateOptions, PatchOptions, …"""
    errors: list[FieldError] = []
    apply = kind == "ApplyOptions"
    named = "PatchOptions" if apply else kind
    manager = query.get("fieldManager", "")
    if apply and not manager:
        errors.append(FieldError("Required value", "fieldManager", "is required for apply patch"))
    errors += manager_errors(manager)
    if "force" in query and kind == "PatchOptions":
        errors.append(FieldError("Forbidden", "force", "may not be specified for non-apply patch"))
    errors += dry_run_errors(query)
    validation = query.get("fieldValidation", "")
    if validation not in {"", "Ignore", "Strict", "Warn"}:
        text = f'"{validation}": supported values: "", "Ignore", "Strict", "Warn"'
        errors.append(FieldError("Unsupported value", "fieldValidation", text))
    if errors:
        raise invalid(named, "meta.k8s.io", "", errors)
    call.options = {name: query[name] for name in ("fieldManager", "fieldValidation") if query.get(name)}
    call.manager = manager or _named(user_agent)
    call.force = truth(query, "force")
    call.dry_run = "dryRun" in query
    call.validation = validation or "Warn"


def _named(user_agent: str) -> str:
    """The manager that a user agent stands for."""
    name = "".join(char for char in user_agent.partition("/")[0] if char.isprintable())
    return name[:MANAGER_LIMIT] or "unknown"


def manager_errors(manager: str) -> list[FieldError]:
    errors = []
    if len(manager.encode()) > MANAGER_LIMIT:
        errors.append(FieldError("Too long", "fieldManager", f"may not be more than {MANAGER_LIMIT} bytes"))
    for i, char in enumerate(manager):
        if not char.isprintable():
            shown = manager.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace('"', '\\"')
            text = f'"{shown}": invalid character U+{ord(char):04X} (at position {i})'
            errors.append(FieldError("Invalid value", "fieldManager", text))
    return errors


def dry_run_errors(query: Mapping[str, str]) -> list[FieldError]:
    value = query.get("dryRun")
    if value is None or value == "All":
        return []
    return [FieldError("Unsupported value", "dryRun", f'["{value}"]: supported values: "All"')]
