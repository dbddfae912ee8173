"""The list of clusters: for the provider's people."""

from collections.abc import Mapping
from typing import Any

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
        return chip("bad", "Lost", "failed")
    if not row["schedulable"]:
        return chip("warn", "Takes nothing new", "paused")
    return chip("ok", "Reached", "ok") if row["seen_at"] else chip("", "Not looked at yet", "unknown")


def _why(row: Row) -> str:
    if row["failing_since"]:
        return f"since {age(row['failing_since'])}: {row['last_error']}"
    return str(row["check_error"] or (f"OVIM lacks {len(row['lacking'])} rights there" if row["lacking"] else ""))


CAPABILITIES = {
    "kubernetes": "Kubernetes",
    "kubevirt": "KubeVirt",
    "cdi": "CDI",
    "vm_snapshots": "Snapshots of VMs",
    "volume_snapshots": "Snapshots of volumes",
    "vm_export": "Export of VMs",
    "vm_clone": "Clones of VMs",
    "instance_types": "Instance types",
    "aaq": "Application-aware quota",
    "routes": "Routes (OpenShift)",
    "user_defined_networks": "User-defined networks",
    "network_attachments": "Network attachments",
    "rollout": "Live update of VMs",
    "feature_gates": "Feature gates",
    "architectures": "Nodes",
}


def capability_lines(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Capabilities in words, as far as they were looked at. Storage classes are a table of their own."""
    return [(label, _said(found[name])) for name, label in CAPABILITIES.items() if name in found]


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "not there" if value is None else str(value)


CLUSTERS = Listing(
    name="cluster",
    title="Clusters",
    noun="cluster",
    section="clusters",
    url="cluster-list",
    detail="cluster-detail",
    create=("cluster-new", "Register cluster", Right.CLUSTER_EDIT),
    right=Right.CLUSTER_VIEW,
    rows=_rows,
    fields=("name", "display_name", "server", "is_default", "schedulable", "failing_since", "last_error",
            "check_error", "lacking", "seen_at", "created_at"),
    columns=(
        Column("name", "Name", lambda row: str(row["name"]), "w-name", sort="name"),
        Column("state", "State", _state, "lead w-12"),
        Column("why", "Why, what next", _why, "why second"),
        Column("server", "Address", lambda row: bdi(row["server"]), "mid"),
        Column("default", "Default", lambda row: "Yes" if row["is_default"] else NOTHING, "w-6"),
        Column("seen", "Last seen", lambda row: age(row["seen_at"]), "number w-7"),
    ),
    sorts=(Sort("name", "name"), Sort("created", newest_first=True)),
    search=contains("name", "display_name", "server"),
    filters=(
        Filter(
            "state", "State", lambda actor, given: [("", "Any"), ("failing", "Lost"), ("fine", "Reached")],
            lambda value, actor: Q(failing_since__isnull=value == "fine"),
        ),
    ),
    empty=Empty("No cluster is connected", "", "Register one: the operator’s guide says how."),
)  # fmt: skip
