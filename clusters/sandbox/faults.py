"""Faults on order: the next N matching requests fail in a chosen way."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

Object = dict[str, Any]
ACTIONS = ("status", "reset", "lost", "latency")
REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass
class Fault:
    """`action`: status (answer `code`), reset (no answer), lost (executed, then no answer), latency (only delayed)."""

    action: str
    count: int = 1  # how many requests; negative: until cleared
    method: str = ""  # empty: any
    path: str = ""  # regular expression searched in the path; resource and name make one
    code: int = 500
    message: str = "injected fault"
    reason: str = ""
    retry_after: int = 0
    delay_ms: int = 0

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}")
        self.reason = self.reason or REASONS.get(self.code, "")
        re.compile(self.path)

    def matches(self, method: str, path: str) -> bool:
        return (not self.method or self.method.upper() == method) and re.search(self.path, path) is not None


def from_order(order: Object) -> Fault:
    """A fault from its JSON order; `resource` and `name` are a friendlier way to say `path`."""
    order = dict(order)
    resource, name = order.pop("resource", ""), order.pop("name", "")
    if resource or name:
        order["path"] = f"/{re.escape(resource) if resource else '[^/]+'}" + (
            f"/{re.escape(name)}(/|$)" if name else "(/|$)"
        )
    return Fault(**order)


class Faults:
    """What is ordered and not used up."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.stall_watches = False

    def take(self, method: str, path: str) -> Fault | None:
        """The first matching fault, one use of it consumed."""
        if not self.active:
            return None
        for fault in self.active:
            if fault.matches(method, path):
                if fault.count > 0:
                    fault.count -= 1
                    if fault.count == 0:
                        self.active.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self.active.clear()
        self.stall_watches = False

    def show(self) -> list[Object]:
        return [asdict(fault) for fault in self.active]
