"""Tables and metadata-only answers: what kubectl asks for (k8s-transcript 03)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from clusters.sandbox import columns
from clusters.sandbox.columns import created, name_column
from clusters.sandbox.negotiation import Shape
from clusters.sandbox.resources import Resource
from clusters.sandbox.store import Stored

Object = dict[str, Any]


def age(timestamp: Any) -> str:
    """Human age as the server prints it: 5s, 3m20s, 4h, 2d."""
    if not isinstance(timestamp, str):
        return "<unknown>"
    try:
        then = datetime.fromisoformat(timestamp.replace("Z", "+00:00"))
    except ValueError:
        return "<invalid>"
    return duration(max(0, int((datetime.now(UTC) - then).total_seconds())))


def duration(seconds: int) -> str:
    """The shorter the longer ago: two units while they matter, then one."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    steps = [
        (seconds < 120, f"{seconds}s"),
        (minutes < 10, _pair(minutes, "m", seconds % 60, "s")),
        (minutes < 180, f"{minutes}m"),
        (hours < 8, _pair(hours, "h", minutes % 60, "m")),
        (hours < 48, f"{hours}h"),
        (days < 8, _pair(days, "d", hours % 24, "h")),
        (days < 730, f"{days}d"),
    ]
    return next((text for fits, text in steps if fits), f"{days // 365}y")


def _pair(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"


STEP = re.compile(
    r"\.?(?P<name>[^.\[\]]+)|\[(?P<index>-?\d+)\]|\[\?\(@\.(?P<field>[^=\s]+)\s*==\s*[\"'](?P<value>[^\"']*)[\"']\)\]|\[['\"](?P<quoted>[^'\"]+)['\"]\]|(?P<all>\[\*\])"
)


def json_path(obj: Any, path: str) -> list[Any]:
    """The JSONPath of printer columns: names, indexes, filters by equality, wildcards."""
    values = [obj]
    position = 0
    text = path.replace("\\.", "\0")
    while position < len(text):
        match = STEP.match(text, position)
        if match is None:
            return []
        position = match.end()
        values = [found for value in values for found in _step(value, match)]
    return values


def _step(value: Any, match: re.Match[str]) -> list[Any]:
    name = match["name"] or match["quoted"]
    if name is not None:
        name = name.replace("\0", ".")
        return [value[name]] if isinstance(value, dict) and name in value else []
    if not isinstance(value, list):
        return []
    if match["all"]:
        return value
    if match["index"] is not None:
        index = int(match["index"])
        return [value[index]] if -len(value) <= index < len(value) else []
    return [item for item in value if isinstance(item, dict) and str(item.get(match["field"])) == match["value"]]


def cell(obj: Object, column: Object) -> Any:
    found = json_path(obj, column["jsonPath"])
    kind = column["type"]
    if not found or found[0] is None:
        return None
    value = found[0]
    if kind == "date":
        return age(value)
    if kind == "integer":
        return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
    if kind == "number":
        return float(value) if isinstance(value, int | float) else None
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def definitions(resource: Resource) -> list[Object]:
    if not resource.custom:
        return columns.definitions(resource.key)
    if not resource.columns:
        return [name_column(), {"name": "Age", "type": "date", "format": "", "description": created(), "priority": 0}]
    return [
        name_column(),
        *(
            {
                "name": column["name"],
                "type": column["type"],
                "format": column.get("format", ""),
                "description": column.get("description")
                or f"Custom resource definition column (in JSONPath format): {column['jsonPath']}",
                "priority": column.get("priority", 0),
            }
            for column in resource.columns
        ),
    ]


def cells(resource: Resource, obj: Object) -> list[Any]:
    name = obj["metadata"]["name"]
    if not resource.custom:
        return columns.cells(resource.key, obj, age)
    if not resource.columns:
        return [name, age(obj["metadata"].get("creationTimestamp"))]
    return [name, *(cell(obj, column) for column in resource.columns)]


def partial(obj: Object, shape: Shape) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": shape.api_version, "metadata": obj["metadata"]}


def row(resource: Resource, stored: Stored, shape: Shape) -> Object:
    out: Object = {"cells": cells(resource, stored.obj)}
    if shape.include == "Object":
        out["object"] = stored.obj
    elif shape.include != "None":
        out["object"] = partial(stored.obj, shape)
    else:
        out["object"] = None
    return out


def table(resource: Resource, items: list[Stored], metadata: Object, shape: Shape, *, head: bool = True) -> Object:
    return {
        "kind": "Table",
        "apiVersion": shape.api_version,
        "metadata": metadata,
        "columnDefinitions": definitions(resource) if head else None,
        "rows": [row(resource, stored, shape) for stored in items],
    }
