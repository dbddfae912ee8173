"""The rows of the bench: what is measured, beside its floor and its goal. `ok` is computed here and nowhere else."""

import json
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Goal:
    """`most` or `least` of the value, or of its ratio to the floor."""

    sign: str  # "≤" or "≥"
    limit: float
    of: str = "value"  # or "ratio"

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:g}" + (" × floor" if self.of == "ratio" else "")

    def met(self, value: float, ratio: float | None) -> bool:
        compare: Callable[[float, float], bool] = operator.le if self.sign == "≤" else operator.ge
        found = ratio if self.of == "ratio" else value
        return found is not None and compare(found, self.limit)


@dataclass(frozen=True)
class Row:
    """One line. Without a goal it only tells: its `ok` is None."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.value / self.floor if self.floor else None

    @property
    def ok(self) -> bool | None:
        return self.goal.met(self.value, self.ratio) if self.goal else None

    def as_json(self) -> dict[str, Any]:
        kept = asdict(self) | {"ratio": self.ratio, "goal": str(self.goal) if self.goal else None, "ok": self.ok}
        return {key: round(item, 3) if isinstance(item, float) else item for key, item in kept.items()}


def failed(name: str, why: str) -> dict[str, Any]:
    """A measurement that did not come about: not ok, and why."""
    return {
        "name": name, "value": None, "unit": "", "floor": None, "goal": None, "note": why, "ratio": None, "ok": False,
    }  # fmt: skip


HEAD = ("name", "value", "unit", "floor", "ratio", "goal", "ok", "note")


def shown(rows: Iterable[dict[str, Any]]) -> str:
    """The table for people."""
    lines = [HEAD, *(tuple(_cell(row[name]) for name in HEAD) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEAD))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def write(file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """What was not measured this time keeps its last values; what failed to be measured does not."""
    file.parent.mkdir(exist_ok=True)
    known: dict[str, dict[str, Any]] = {}
    if file.exists():
        known = {row["name"]: row for row in json.loads(file.read_text()) if row["value"] is not None}
    known |= {row["name"]: row for row in rows}
    file.write_text(json.dumps(list(known.values()), indent=1, ensure_ascii=False) + "\n")
