"""Conditions: what is the case with a row, each with its cause and since when (metav1.Condition's fields)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Condition:
    """`status` is True, False or Unknown as text; `reason` is CamelCase for machines, `message` for people."""

    type: str
    status: str
    reason: str
    message: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a reconcile came to: the only thing that may be recorded as a row's status.

    `retry_seconds` asks for another look later, without counting as a failure. `failed` counts and backs off.
    `settled` False: not all objects are there yet, so the row isn't ready for its children.
    `fields` are status columns of the app's own row (addresses, node), written with the rest.
    """

    phase: str
    conditions: tuple[Condition, ...] = ()
    settled: bool = False
    failed: bool = False
    permanent: bool = False
    retry_seconds: float | None = None
    fields: dict[str, Any] = field(default_factory=dict)


def merged(old: Iterable[dict[str, Any]], new: Iterable[Condition], now: datetime) -> list[dict[str, Any]]:
    """The stored form of `new`: `since` is kept from `old` where the status did not change."""
    since = {(item["type"], item["status"]): item["since"] for item in old}
    return [
        {
            "type": item.type,
            "status": item.status,
            "reason": item.reason,
            "message": item.message,
            "since": since.get((item.type, item.status), now.isoformat()),
        }
        for item in new
    ]


def true(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type_, "True", reason, message)


def false(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type_, "False", reason, message)
