"""Query parameters: which there are, for checking a request and for the OpenAPI document alike."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import QueryDict

from core.errors import BadParameter, FieldError


@dataclass(frozen=True)
class Parameter:
    """What a query parameter takes (a JSON schema) and what it is for."""

    schema: Mapping[str, Any]
    about: str = ""
    required: bool = False


Parameters = Mapping[str, Parameter]
DRY_RUN = Parameter(
    {"type": "string", "enum": ["true", "cluster"]},
    "answer with the plan (200) and change nothing; `cluster`: and ask the cluster what it would say",
)


def sparse(names: Iterable[str]) -> Parameter:
    """`?fields=`: only these."""
    items = {"type": "string", "enum": sorted(names)}
    return Parameter({"type": "array", "items": items, "minItems": 1}, "only these fields, with commas")


def check(query: QueryDict, known: Parameters) -> None:
    """BadParameter naming each parameter that there is not, or that is given twice."""
    errors = [
        FieldError(name, "unknown_parameter", f"There is no parameter {name!r} here. {_told(known)}")
        for name in query
        if name not in known
    ]
    errors += [
        FieldError(name, "repeated", f"{name} is given more than once.")
        for name in query
        if name in known and len(query.getlist(name)) > 1
    ]
    if errors:
        raise BadParameter(errors[0].message, errors=errors)


def _told(known: Collection[str]) -> str:
    return f"There are: {', '.join(sorted(known))}." if known else "None is taken."


def fields(query: QueryDict, known: Collection[str]) -> frozenset[str] | None:
    """The fields that `?fields=` names, or None: all."""
    text = query.get("fields")
    if text is None:
        return None
    wanted = frozenset(str(text).split(","))
    unknown = sorted(wanted - set(known))
    if unknown:
        message = f"There is no field {unknown[0]!r} here. There are: {', '.join(sorted(known))}."
        raise BadParameter.field("fields", "unknown_field", message)
    return wanted


def flag(query: QueryDict, name: str) -> bool:
    """True or false; false when it is not given."""
    text = query.get(name, "false")
    if text not in ("true", "false"):
        raise BadParameter.field(name, "type", f"{name} must be true or false.")
    return text == "true"


def choice(query: QueryDict, name: str, known: Collection[str]) -> str | None:
    """One of these; None when it is not given."""
    text = query.get(name)
    if text is not None and text not in known:
        raise BadParameter.field(name, "choice", f"{name} must be one of {', '.join(sorted(known))}.")
    return text


def uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise BadParameter.field(name, "type", f"{name} must be a UUID.") from None


def whole(query: QueryDict, name: str, most: int) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= most):
        raise BadParameter.field(name, "type", f"{name} must be a whole number up to {most}.")
    return int(text)


def dry_run(query: QueryDict) -> str | None:
    """`true`, `cluster` or None: do it."""
    text = query.get("dry_run")
    if text not in (None, *DRY_RUN.schema["enum"]):
        raise BadParameter.field("dry_run", "choice", "dry_run must be true or cluster.")
    return text
