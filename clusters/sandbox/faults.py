"""Faults on order: the next N matching requests fail in a chosen way."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

Object = dict[str, Any]
WEBHOOK = "webhook"
ACTIONS = ("status", "reset", "lost", "latency", WEBHOOK)
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
    """`action`: status (answer `code`), reset (no answer), lost (executed, then no answer), latency (only delayed),
    webhook (calls of the webhooks whose name `path` is found in are refused, KubeVirt's own and configured ones).
    """

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
        if self.action == WEBHOOK:
            return False
        return (not self.method or self.method.upper() == method) and re.search(self.path, path) is not None


def from_order(order: Object) -> Fault:
    """A fault from its JSON order; `resource` and `name` are a friendlier way to say `path`."""
    order = dict(order)
    resource, name = order.pop("resource", ""), order.pop("name", "")
    if order.get("action") == WEBHOOK:
        if name:
            order["path"] = f"^{re.escape(name)}$"
    elif resource or name:
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
        return self._use(lambda fault: fault.matches(method, path)) if self.active else None

    def webhook_is_down(self, name: str) -> bool:
        """Whether this call of a webhook is to fail; it counts as one use."""
        if not self.active:
            return False
        return self._use(lambda fault: fault.action == WEBHOOK and re.search(fault.path, name) is not None) is not None

    def _use(self, fits: Callable[[Fault], bool]) -> Fault | None:
        for fault in self.active:
            if fits(fault):
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
