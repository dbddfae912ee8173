"""Rows that come and go with another row, asked for by nobody: made in the transaction that makes it, and ended in the one
that asks for its end. It goes only when they have gone.
"""

from collections.abc import Sequence

from django.db.models import F, Q
from django.db.models.functions import Now

from clusters import kinds, queue
from clusters.models import Reconciled


def bring(parent: Reconciled) -> None:
    """Make and request what comes along with a row that was just made."""
    makers = [kinds.by_name(name).along for name in kinds.of(parent).children]
    queue.request_all([make(parent) for make in makers if make is not None])


def take(parents: Sequence[Reconciled]) -> None:
    """What came along with these rows is to go as they are."""
    for name in sorted({name for parent in parents for name in kinds.of(parent).children}):
        kind = kinds.by_name(name)
        if kind.along is None:
            continue
        pks = {child.pk for parent in parents for child in kinds.children(parent) if kinds.of(child) is kind}
        rows = kind.rows()._default_manager.filter(pk__in=pks).order_by("id")
        locked = list(rows.select_for_update(of=("self",), no_key=True))
        rows.filter(deletion_requested_at=None).update(
            deletion_requested_at=Now(), generation=F("generation") + 1, updated_at=Now()
        )
        queue.request_all(locked)


def bump_on(cluster_pk: object) -> int:
    """The cluster's settings have changed: all rows there that want something by them do so anew. How many."""
    count = 0
    for kind in sorted(kinds.registry().values(), key=lambda kind: kind.name):
        if kind.by_cluster:
            count += bump(kind, **{kind.by_cluster: cluster_pk})
    return count


def bump(kind: kinds.Kind, **where: object) -> int:
    """What these rows want has changed: raise their generations and request them."""
    rows = kind.rows()._default_manager.filter(**where).order_by("id")
    locked = list(rows.select_for_update(of=("self",), no_key=True))
    kind.rows()._default_manager.filter(pk__in=[row.pk for row in locked]).update(
        generation=F("generation") + 1, updated_at=Now()
    )
    queue.request_all(locked)
    return len(locked)


def in_trouble_on(cluster_pk: object, most: int) -> list[Reconciled]:
    """Of the rows that want something by the cluster's settings, some that have something to say."""
    said = Q(conditions__contains=[{"type": "Reconciled"}]) | Q(conditions__contains=[{"type": "PeopleLeftOut"}])
    return [
        row
        for kind in kinds.registry().values()
        if kind.by_cluster
        for row in kind.rows()._default_manager.filter(said, **{kind.by_cluster: cluster_pk}).order_by("id")[:most]
    ]
