"""Quota bars: what is used, what a change would add, what is left. All numbers of a page come from here. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Meter:
    resource: str
    used: int
    limit: int | None
    added: int = 0

    @property
    def after(self) -> int:
        return self.used + self.added

    @property
    def left(self) -> int:
        return max((self.limit or 0) - self.after, 0)

    @property
    def over(self) -> int:
        return 0 if self.limit is None else max(self.after - self.limit, 0)

    @property
    def _whole(self) -> int:
        return max(self.limit or 0, self.after, 1)

    @property
    def used_share(self) -> float:
        return round(100 * min(self.used, self.limit or 0) / self._whole, 2)

    @property
    def beyond_at(self) -> float:
        return round(100 * (self.limit or 0) / self._whole, 2) if self.over else 100

    @property
    def beyond_share(self) -> float:
        return round(100 - self.beyond_at, 2)

    @property
    def added_share(self) -> float:
        return max(round(100 * min(self.after, self.limit or 0) / self._whole - self.used_share, 2), 0)


def meters(usage: Mapping[str, Any], added: Mapping[str, int] | None = None) -> list[Meter]:
    """Of everything that has a limit or is used; `usage` as `vdcs.selectors.usage` tells it."""
    return [
        Meter(name, used, usage["limits"].get(name), (added or {}).get(name, 0))
        for name, used in sorted(usage["used"].items(), key=lambda pair: _ORDER.index(pair[0].partition("/")[0]))
        if name in usage["limits"] or "/" not in name
    ]


_ORDER = ("cpu", "memory_mib", "disk_gib", "vms", "running_vms")


@dataclass(frozen=True)
class LimitMeter(Meter):
    """Of a limit that is being changed: `limit` as it would be, `was` as it is."""

    was: int | None = None

    @property
    def changed(self) -> bool:
        return self.was != self.limit


def limit_meters(used: Mapping[str, int], before: Mapping[str, int], after: Mapping[str, int]) -> list[LimitMeter]:
    """Of everything that is limited before or after, in the order of other meters."""
    names = sorted({*before, *after}, key=lambda name: (_ORDER.index(name.partition("/")[0]), name))
    return [LimitMeter(name, used.get(name, 0), after.get(name), was=before.get(name)) for name in names]
