"""What can be done to a cluster or an orphan, and the states in which it can't: told beside each row. The services decide."""

from django.db.models import Exists, OuterRef, Q

from clusters.models import Cluster, Placement
from core.actions import Action, Actions
from core.rights import Right

_DEFAULT = (
    Q(is_default=True) & Q(Exists(Cluster.objects.exclude(pk=OuterRef("pk")))),
    "It is the default cluster: make another one the default first.",
)
_USED = (
    Q(Exists(Placement.objects.filter(cluster=OuterRef("pk")))),
    "Organizations are still on it: delete their VDCs there, then drain the cluster.",
)
CLUSTER: Actions = {
    "edit": Action(Right.CLUSTER_EDIT),
    "access": Action(Right.CLUSTER_EDIT),
    "check": Action(Right.CLUSTER_EDIT),
    "drain": Action(Right.CLUSTER_EDIT, (_DEFAULT,)),
    "delete": Action(Right.CLUSTER_EDIT, (_DEFAULT, _USED)),
    "forget": Action(Right.CLUSTER_EDIT, (_DEFAULT,)),
    "audit": Action(Right.ENGINE_OPERATE),
}
ORPHAN: Actions = {"delete": Action(Right.ENGINE_OPERATE)}
