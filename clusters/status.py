"""The one writer of status: phase, conditions, what was observed. Screens read it, nothing else sets it (ENGINE §4)."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import orjson
from django.db import connection, transaction
from django.utils import timezone

from clusters import connections, fence, happenings, kinds, live, observed, queue, sql
from clusters.conditions import Outcome, merged
from clusters.errors import Fenced, KubeError
from clusters.models import Installation, InventoryItem, ObservedObject, Reconciled
from clusters.queue import Lease
from clusters.refs import Ref
from clusters.steps import Finish

log = logging.getLogger(__name__)
MIRROR_SECONDS = 10.0


@cache
def installation() -> UUID:
    """The id that every object of ours carries."""
    return Installation.objects.values_list("id", flat=True).get()


# What becomes of the work item: `act` as asked for, unless the row or the item has been asked for anew meanwhile.
# A crash of the database that undoes it leaves the work item: what was observed is observed again.
# `own` and `held` are of `fence.HELD`: locked, so that what is decided here still holds when it is written.
FINISH = """, {quick}, r AS MATERIALIZED (
  SELECT * FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(id uuid, seen bigint, changed boolean, act text, pause float8,
    error text, parent_kind text, parent_id uuid, read bigint, {columns})),
verdict AS MATERIALIZED (
  SELECT held.id, r.id AS row_id, own.observed_generation <= r.read AS current, r.pause, r.error, r.parent_kind,
    r.parent_id, held.requested_seq <> r.seen AS requested,
    CASE WHEN r.act = 'failed' THEN 'failed'
      WHEN own.observed_generation > r.read OR own.generation <> r.read THEN 'newer'
      WHEN r.act IN ('done', 'park') AND held.requested_seq <> r.seen THEN 'now' ELSE r.act END AS act
  FROM r JOIN held ON held.object_id = r.id JOIN own ON own.id = r.id),
written AS (
  UPDATE {table} t SET {assignments}, updated_at = clock_timestamp() FROM r, verdict v
  WHERE t.id = r.id AND v.row_id = r.id AND v.current AND r.changed),
dropped AS (DELETE FROM clusters_workitem w USING verdict v WHERE w.id = v.id AND v.act = 'done'),
kept AS (
  UPDATE clusters_workitem w SET lease_token = NULL, leased_until = NULL,
    attempts = CASE v.act WHEN 'failed' THEN w.attempts + 1 WHEN 'park' THEN w.attempts ELSE 0 END,
    due_at = CASE WHEN v.act = 'park' THEN NULL
      WHEN v.act IN ('newer', 'now') OR v.requested AND (w.attempts = 0 OR v.act <> 'failed') THEN clock_timestamp()
      ELSE clock_timestamp() + v.pause * interval '1 second' END,
    parked_on_kind = CASE v.act WHEN 'park' THEN v.parent_kind ELSE '' END,
    parked_on_id = CASE v.act WHEN 'park' THEN v.parent_id END,
    last_error = CASE v.act WHEN 'failed' THEN v.error ELSE '' END
  FROM verdict v WHERE w.id = v.id AND v.act NOT IN ('done', 'hold')),
told AS (
  {insert} ({lines}) t LEFT JOIN verdict v ON v.row_id = t.owner_id
  WHERE t.what <> 'outcome' OR coalesce(v.current, false) {again})
SELECT row_id, current, act FROM verdict, quick
"""
COLUMNS = ("phase", "conditions", "observed_generation", "ready_at")


def finish(asked: Sequence[Finish]) -> list[str | Fenced]:
    """Write outcomes of rows of one kind and complete or keep their work items, each under its own lease.

    The answers: `done` (the item is gone), `hold` (kept under its lease), `park`, `later`, `now`, `failed`, or `newer`:
    another generation is there already. What was observed of an older one than the row shows changes nothing.
    """
    now = timezone.now()
    answers: dict[UUID, str] = {}
    changed: list[Reconciled] = []
    by_fields: dict[tuple[str, ...], list[Finish]] = {}
    for step in asked:
        by_fields.setdefault(tuple(sorted(step.outcome.fields)), []).append(step)
    rows = {step.row.pk: step.row for step in asked}
    for fields, steps in by_fields.items():
        values = {step.row.pk: _values(step, now) for step in steps}
        news = {pk: _news(rows[pk], columns) for pk, columns in values.items()}
        for pk, current, act in _finish(steps, fields, values, news):
            answers[pk] = act
            if current and news[pk]:
                _show(rows[pk], news[pk])
                changed.append(rows[pk])
    published(*changed)
    return [answers.get(step.row.pk) or Fenced() for step in asked]


def _finish(
    steps: Sequence[Finish],
    fields: tuple[str, ...],
    values: Mapping[UUID, dict[str, Any]],
    news: Mapping[UUID, dict[str, Any]],
) -> list[sql.Row]:
    model = type(steps[0].row)
    rows = [{**_line(step), **values[step.row.pk], "changed": bool(news[step.row.pk])} for step in steps]
    return fence.stroke(
        model._meta.db_table,
        [step.row.pk for step in steps],
        [step.lease.token for step in steps],
        _statement(model, fields),
        {"rows": orjson.dumps(rows).decode(), "told": happenings.encoded(_told(steps, values))},
    )


def _told(steps: Sequence[Finish], values: Mapping[UUID, dict[str, Any]]) -> list[dict[str, Any]]:
    """Lines of the timelines: what was written on the way, then what it came to, if that is news."""
    now = timezone.now()
    lines: list[dict[str, Any]] = []
    for step in steps:
        news = happenings.outcome(step.row, values[step.row.pk], now)
        lines += happenings.lines(step.lease.kind, step.row, [*step.told, *([news] if news else [])])
    return lines


@cache
def _statement(model: type[Reconciled], fields: tuple[str, ...]) -> str:
    quote = connection.ops.quote_name
    names = [*COLUMNS, *fields]
    types = {name: model._meta.get_field(name).db_type(connection) for name in names}
    keep = {"observed_generation": "greatest", "ready_at": "coalesce"}  # never taken back
    sets = [
        f"{quote(name)} = {keep[name]}(t.{name}, r.{name})" if name in keep else f"{quote(name)} = r.{quote(name)}"
        for name in names
    ]
    return FINISH.format(
        quick=sql.QUICK,
        table=quote(model._meta.db_table),
        columns=", ".join(f"{quote(name)} {types[name]}" for name in names),
        assignments=", ".join(sets),
        insert=happenings.INSERT,
        lines=happenings.LINES,
        again=happenings.AGAIN,
    )


def _values(step: Finish, now: datetime) -> dict[str, Any]:
    """The columns of status as this outcome has them. A failed run has observed nothing (ADR 6), nor has a suspended."""
    row, outcome = step.row, step.outcome
    unseen = outcome.failed or step.suspended
    return {
        "phase": str(outcome.phase),
        "conditions": merged(row.conditions, outcome.conditions, now),
        "observed_generation": row.observed_generation if unseen else row.generation,
        "ready_at": now if outcome.settled and row.ready_at is None else row.ready_at,
        **outcome.fields,
    }


def _line(step: Finish) -> dict[str, Any]:
    parent_kind, parent_id = step.parent or ("", None)
    act = (
        "failed" if step.outcome.failed else "hold" if step.hold else "park" if step.parent or step.suspended else None
    )
    return {
        "id": step.row.pk,
        "seen": step.lease.seen,
        "read": step.row.generation,
        "act": act or ("done" if step.pause is None else "later"),
        "pause": step.pause or 0.0,
        "error": _first_message(step.outcome)[:2000],
        "parent_kind": parent_kind,
        "parent_id": parent_id,
    }


def _first_message(outcome: Outcome) -> str:
    return next((item.message for item in outcome.conditions if item.message), "")


def _news(row: Reconciled, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the row does not say yet."""
    return {name: value for name, value in values.items() if getattr(row, name) != value}


def _show(row: Reconciled, news: Mapping[str, Any]) -> None:
    """The row in memory as it is in the database now."""
    for name, value in news.items():
        setattr(row, name, value)


def published(*rows: Reconciled, deleted: bool = False) -> None:
    """Tell live viewers after commit. A hint: who misses it fetches what changed since."""
    messages = [
        live.Change(
            kind=kinds.of(row).name,
            id=row.pk,
            generation=row.generation,
            phase=str(row.phase),
            organization_id=row.tenant_pk(),
            deleted=deleted,
        )
        for row in rows
    ]
    if messages:
        transaction.on_commit(lambda: live.publish(messages), robust=True)


def mirror(row: Reconciled, lease: Lease, wanted: tuple[Ref, Mapping[str, Any]] | None) -> None:
    """Copy the status into the row's custom resource, at most once in ten seconds; then the work item may go.

    The `/status` apply ignores a wrong uid in its body (recorded), so the uid that comes back is compared.
    """
    pause = _mirror(row, lease, wanted) if wanted is not None else None
    if pause is None:
        queue.complete(lease)
    else:
        queue.again(lease, pause, failed=False)


def _mirror(row: Reconciled, lease: Lease, wanted: tuple[Ref, Mapping[str, Any]]) -> float | None:
    """Seconds until it may be tried, or None when it is written, equal, or there is nothing to write to."""
    ref, status = wanted
    key = {"cluster_id": lease.cluster_id, "group": ref.group, "kind": ref.kind}
    place = {"namespace": ref.namespace, "name": ref.name}
    cached = ObservedObject.objects.filter(**key, **place).first()
    held = InventoryItem.objects.filter(**key, **place, tombstoned_at__isnull=True).first()
    if cached is None or held is None or held.uid != cached.uid:
        return None
    if _subset(status, cached.body.get("status") or {}):
        return None
    last = held.checked_at
    if last is not None and (age := timezone.now() - last) < timedelta(seconds=MIRROR_SECONDS) and row.ready_at:
        written = cached.body.get("status") or {}
        if written:
            return max(MIRROR_SECONDS - age.total_seconds(), 0.5)
    body = {
        "apiVersion": ref.type.api_version,
        "kind": ref.kind,
        "metadata": {"name": ref.name, "namespace": ref.namespace or None, "uid": str(held.uid)},
        "status": status,
    }
    try:
        with connections.client_of(lease.cluster_id).fenced(lease.renew) as client:
            answer = client.apply(ref, _without_none(body), force=True, subresource="status")
    except KubeError as error:
        log.warning("the status of %s could not be mirrored: %s", ref, error)
        return 30.0
    if answer["metadata"]["uid"] != str(held.uid):
        log.warning("%s was replaced while its status was written", ref)
        return 1.0
    InventoryItem.objects.filter(pk=held.pk).update(checked_at=timezone.now())
    observed.store(lease.cluster_id, [answer])
    return None


def _subset(wanted: Any, have: Any) -> bool:
    if isinstance(wanted, Mapping) and isinstance(have, Mapping):
        return all(_subset(value, have.get(key)) for key, value in wanted.items())
    return bool(orjson.dumps(wanted, default=str) == orjson.dumps(have, default=str))


def _without_none(body: dict[str, Any]) -> dict[str, Any]:
    body["metadata"] = {key: value for key, value in body["metadata"].items() if value is not None}
    return body
