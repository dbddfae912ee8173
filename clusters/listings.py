"""The list of clusters: for the provider's people."""

from django.db.models import Q, QuerySet

from clusters.models import Cluster
from core.listing.cells import NOTHING, bdi
from core.listing.spec import Column, Empty, Filter, Listing, Row, Sort, contains
from core.rights import Right
from core.ui.amounts import age
from core.ui.phases import chip


def _rows() -> QuerySet[Cluster]:
    return Cluster.objects.all()


def _state(row: Row) -> str:
    if row["failing_since"]:
        return chip("bad", "Not reached", "failed")
    return chip("ok", "Reached", "ok") if row["watched_at"] else chip("", "Not looked at yet", "unknown")


CLUSTERS = Listing(
    name="cluster",
    title="Clusters",
    noun="cluster",
    section="clusters",
    url="cluster-list",
    detail="cluster-detail",
    right=Right.CLUSTER_VIEW,
    rows=_rows,
    fields=("name", "display_name", "server", "is_default", "failing_since", "last_error", "watched_at", "created_at"),
    columns=(
        Column("name", "Name", lambda row: str(row["name"]), "w-name", sort="name"),
        Column("state", "State", _state, "lead w-12"),
        Column("why", "Why, what next", lambda row: str(row["last_error"]) if row["failing_since"] else "", "why second"),
        Column("server", "Address", lambda row: bdi(row["server"]), "mid"),
        Column("default", "Default", lambda row: "Yes" if row["is_default"] else NOTHING, "w-6"),
        Column("seen", "Last seen", lambda row: age(row["watched_at"]), "number w-7"),
    ),
    sorts=(Sort("name", "name"), Sort("created", newest_first=True)),
    search=contains("name", "display_name", "server"),
    filters=(
        Filter(
            "state", "State", lambda actor, given: [("", "Any"), ("failing", "Not reached"), ("fine", "Reached")],
            lambda value, actor: Q(failing_since__isnull=value == "fine"),
        ),
    ),
    empty=Empty("No cluster is connected", "", "Name one by OVIM_KUBECONFIG: the operator’s guide says how."),
)  # fmt: skip
