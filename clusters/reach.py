"""Since when what is shown of a cluster is old: an expression for rows that live in one."""

from django.db.models import Case, DateTimeField, Expression, F, When
from django.db.models.functions import Coalesce

UNSEEN = "its cluster has not answered since then: what is shown is how it was; null: it answers"


def unseen_since(cluster: str) -> Expression:
    """When the cluster last answered, while it does not; else null. `cluster`: the lookup path to it."""
    last = Coalesce(F(f"{cluster}__seen_at"), F(f"{cluster}__failing_since"))
    return Case(When(**{f"{cluster}__failing_since__isnull": False}, then=last), output_field=DateTimeField())
