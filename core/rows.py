"""Writing rows: shape checked by the model, uniqueness by the database, generations compared under the row's lock."""

import re
from typing import Any, TypeVar

from django.apps import apps
from django.db import IntegrityError
from django.db.models import CheckConstraint, F, Model, UniqueConstraint

from core.errors import Conflict, DomainError, FieldError, Invalid, NotFound, Stale

R = TypeVar("R", bound=Model)
Generations = frozenset[int] | None  # what If-Match allows; None: any
_KEY = re.compile(r"Key \((.+?)\)=")


def lock(row: R, generations: Generations = None) -> R:
    """The row as it is now, locked until the transaction ends; Stale unless its generation is an allowed one."""
    rows = type(row)._default_manager
    locked = rows.select_for_update(no_key=True, of=("self",)).filter(pk=row.pk).first()
    if locked is None:
        raise NotFound(f"This {row._meta.verbose_name} is gone.")
    check_generation(locked, generations)
    return locked


def check_generation(row: Any, generations: Generations) -> None:
    if generations is None or row.generation in generations:
        return
    raise Stale(
        f"It has changed since you read it: the current generation is {row.generation}. Read it again.",
        current=row.generation,
    )


def save(row: R, *, new: bool = False) -> R:
    """Check the fields, then write. What must be unique is left to the constraint: asking first would only race."""
    relations = {field.name for field in row._meta.concrete_fields if field.is_relation}
    row.clean_fields(exclude=relations)
    row.clean()
    try:
        row.save(force_insert=new)
    except IntegrityError as error:
        raise explained(error) from error
    return row


def edit(row: R, changes: dict[str, Any]) -> dict[str, Any]:
    """Set what differs, raise the generation and write. Returns the values from before; empty: nothing changed."""
    before = {name: getattr(row, name) for name, value in changes.items() if getattr(row, name) != value}
    if not before:
        return {}
    for name in before:
        setattr(row, name, changes[name])
    relations = {field.name for field in row._meta.concrete_fields if field.is_relation}
    row.clean_fields(exclude=relations)
    row.clean()
    generation = row.generation + 1  # type: ignore[attr-defined]  # whatever is edited has one
    row.generation = F("generation") + 1  # type: ignore[attr-defined]
    try:
        row.save(update_fields=[*before, "generation"])
    except IntegrityError as error:
        raise explained(error) from error
    row.generation = generation  # type: ignore[attr-defined]  # exact: the row is locked
    return before


def explained(error: IntegrityError) -> DomainError:
    """A broken constraint as a refusal that names the field and says what the model says about it."""
    diagnosis = getattr(error.__cause__, "diag", None)
    state = getattr(error.__cause__, "sqlstate", "")
    name = getattr(diagnosis, "constraint_name", None) or ""
    table = getattr(diagnosis, "table_name", None) or ""
    found = _KEY.search(getattr(diagnosis, "message_detail", None) or "")
    columns = _columns(name, table)
    if found:
        columns = [part.strip().removesuffix("_id") for part in found.group(1).split(",")]
    if state == "23505":
        message = _message(name) or f"There is one with this {columns[-1] if columns else 'name'} already."
        return Conflict(message, errors=[FieldError(_field(name, columns), "unique", message)])
    if state == "23503":
        model = next((m for m in apps.get_models() if m._meta.db_table == table), None)
        what = model._meta.verbose_name_plural if model else "other rows"
        return Conflict(f"Something it belongs to is gone, or {what} still use it.")
    message = _message(name) or "A value breaks a rule of the database."
    return Invalid(message, errors=[FieldError(columns[0] if columns else "", name or "constraint", message)])


def _columns(constraint: str, table: str) -> list[str]:
    """Of a column that is unique by itself: PostgreSQL names no key of a table whose rows it may have to hide."""
    model = next((m for m in apps.get_models() if m._meta.db_table == table), None)
    fields = model._meta.concrete_fields if model else ()
    unique = [f.name for f in fields if f.unique and constraint.startswith(f"{table}_{f.column}_")]
    return sorted(unique, key=len)[-1:]


def _field(constraint: str, columns: list[str]) -> str:
    """The field that a person would change: the last one, which is the narrowest (organization, name → name)."""
    known = _constraint(constraint)
    fields = list(known.fields) if isinstance(known, UniqueConstraint) else columns
    return fields[-1] if fields else ""


def _message(constraint: str) -> str:
    known = _constraint(constraint)
    if isinstance(known, UniqueConstraint | CheckConstraint) and known.violation_error_message:
        own = str(known.violation_error_message)
        return "" if own == str(known.default_violation_error_message) else own
    return ""


def _constraint(name: str) -> object | None:
    every = (constraint for model in apps.get_models() for constraint in model._meta.constraints)
    return next((constraint for constraint in every if constraint.name == name), None)
