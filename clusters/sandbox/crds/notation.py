"""Reads the type tables (types_*.yaml): one line per field, the notation is explained in types_pod.yaml.

A table says more than an OpenAPI schema can: whether a Go field is a pointer decides if an explicit zero value
survives the round trip through KubeVirt's webhook, which answers with the object it decoded and encoded again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
INTEGERS = frozenset({"integer", "int32", "int64", "uint", "uint32"})  # Go's own; "integer" is its int
SCALARS = INTEGERS | {"string", "boolean", "quantity", "intorstring", "time", "number", "any"}
WORD = re.compile(r"^(?P<name>\w+)(?P<mark>[!*=~]?)(?:\((?P<crd>[^)]*)\)|<(?P<web>[^>]*)>|\[(?P<only>[^\]]*)\])?$")


@dataclass(frozen=True)
class Field:
    """One field of a type."""

    name: str
    type: str
    shape: str = "one"  # one | list | map
    required: bool = False
    pointer: bool = False
    by_value: bool = False
    never_absent: bool = False  # null in Go's JSON where nothing was given
    crd_values: tuple[str, ...] = ()
    virt_api_values: tuple[str, ...] = ()
    merge: str = ""  # "", atomic, set, map
    keys: tuple[str, ...] = ()
    longest: int | None = None
    default: Any = None
    has_default: bool = False
    nullable: bool = False

    @property
    def scalar(self) -> bool:
        return self.type in SCALARS


@dataclass(frozen=True)
class Type:
    """A named object type; `mode` is "", atomic, open (keeps unknown fields) or nullable."""

    name: str
    fields: dict[str, Field] = field(default_factory=dict)
    mode: str = ""


def read_field(name: str, text: str) -> Field:
    words = text.split()
    shape = words.pop(0) if words[0] in {"list", "map"} else "one"
    match = WORD.match(words.pop(0))
    if match is None:
        raise ValueError(f"{name}: cannot read {text!r}")
    options = dict(word.split("=", 1) for word in words if "=" in word)
    keys = tuple(options["keys"].split("+")) if "keys" in options else ()
    both, web, only = (tuple(match[group].split("|")) if match[group] else () for group in ("crd", "web", "only"))
    merge = "map" if keys else next((word for word in words if word in {"atomic", "set"}), "")
    return Field(
        name=name,
        type=match["name"],
        shape=shape,
        required=match["mark"] == "!",
        pointer=match["mark"] in ("*", "~"),
        never_absent=match["mark"] == "~",
        by_value=match["mark"] == "=",
        crd_values=both or only,
        virt_api_values=both or web,
        merge=merge,
        keys=keys,
        longest=int(options["max"]) if "max" in options else None,
        default=_default(options.get("default"), match["name"]),
        has_default="default" in options,
        nullable="nullable" in words,
    )


def _default(text: str | None, type_name: str) -> Any:
    return text == "true" if type_name == "boolean" and text is not None else text


@lru_cache(maxsize=1)
def types() -> dict[str, Type]:
    """Every type of every table, by name."""
    found: dict[str, Type] = {}
    for path in sorted(HERE.glob("types_*.yaml")):
        for name, fields in yaml.safe_load(path.read_text(encoding="utf-8")).items():
            mode = str(fields.pop(".", ""))
            found[name] = Type(name, {key: read_field(key, text) for key, text in fields.items()}, mode)
    return found
