"""The ClusterRoles and bindings that every cluster starts with, as Kubernetes 1.36 documents them.

One line a rule: `verbs group resource,resource`; `core` is the group without a name. A role that only collects others
names the label it collects by. An indented line goes on with the one before.
"""

from __future__ import annotations

from typing import Any

from clusters.sandbox import rbac
from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]
MANAGER = "kube-apiserver"
BOOTSTRAP = {"kubernetes.io/bootstrapping": "rbac-defaults"}
AUTOUPDATE = {"rbac.authorization.kubernetes.io/autoupdate": "true"}
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
READ, WRITE = "get,list,watch", "create,delete,deletecollection,patch,update"

VIEW = f"""
{READ} core configmaps,endpoints,persistentvolumeclaims,persistentvolumeclaims/status,pods,replicationcontrollers,
  replicationcontrollers/scale,serviceaccounts,services,services/status
{READ} core bindings,events,limitranges,namespaces/status,pods/log,pods/status,replicationcontrollers/status,
  resourcequotas,resourcequotas/status
{READ} core namespaces
{READ} discovery.k8s.io endpointslices
{READ} apps controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/scale,deployments/status,
  replicasets,replicasets/scale,replicasets/status,statefulsets,statefulsets/scale,statefulsets/status
{READ} autoscaling horizontalpodautoscalers,horizontalpodautoscalers/status
{READ} batch cronjobs,cronjobs/status,jobs,jobs/status
{READ} policy poddisruptionbudgets,poddisruptionbudgets/status
{READ} networking.k8s.io ingresses,ingresses/status,networkpolicies
"""
EDIT = f"""
{READ} core pods/attach,pods/exec,pods/portforward,pods/proxy,secrets,services/proxy
impersonate core serviceaccounts
{WRITE} core pods,pods/attach,pods/exec,pods/portforward,pods/proxy
create core pods/eviction
{WRITE} core configmaps,events,persistentvolumeclaims,replicationcontrollers,replicationcontrollers/scale,secrets,
  serviceaccounts,services,services/proxy
create core serviceaccounts/token
{WRITE} apps daemonsets,deployments,deployments/rollback,deployments/scale,replicasets,replicasets/scale,statefulsets,
  statefulsets/scale
{WRITE} autoscaling horizontalpodautoscalers
{WRITE} batch cronjobs,jobs
{WRITE} policy poddisruptionbudgets
{WRITE} networking.k8s.io ingresses,networkpolicies
create,delete,deletecollection,get,list,patch,update,watch coordination.k8s.io leases
"""
ADMIN = """
create authorization.k8s.io localsubjectaccessreviews
create,delete,deletecollection,get,list,patch,update,watch rbac.authorization.k8s.io rolebindings,roles
"""
BASIC_USER = """
create authorization.k8s.io selfsubjectaccessreviews,selfsubjectrulesreviews
create authentication.k8s.io selfsubjectreviews
"""
HEALTH_URLS = ["/healthz", "/livez", "/readyz", "/version", "/version/"]
DISCOVERY_URLS = [
    "/api",
    "/api/*",
    "/apis",
    "/apis/*",
    "/healthz",
    "/livez",
    "/openapi",
    "/openapi/*",
    "/readyz",
    "/version",
    "/version/",
]


def _rules(text: str) -> list[Object]:
    out: list[Object] = []
    for line in text.replace("\n  ", "").strip().splitlines():
        verbs, group, resources = line.split()
        out.append(
            {
                "verbs": verbs.split(","),
                "apiGroups": ["" if group == "core" else group],
                "resources": resources.split(","),
            }
        )
    return out


def _role(name: str, rules: list[Object], *, into: str = "", collects: str = "") -> Object:
    labels = {**BOOTSTRAP, **({AGGREGATE + into: "true"} if into else {})}
    role: Object = {"metadata": {"name": name, "labels": labels, "annotations": dict(AUTOUPDATE)}, "rules": rules}
    if collects:
        role["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {AGGREGATE + collects: "true"}}]}
    return role


def roles() -> list[Object]:
    collected = [
        _role("admin", [], collects="admin"),
        _role("edit", [], into="admin", collects="edit"),
        _role("view", [], into="edit", collects="view"),
    ]
    everything: list[Object] = [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]
    return [
        _role("cluster-admin", everything),
        _role("system:aggregate-to-view", _rules(VIEW), into="view"),
        _role("system:aggregate-to-edit", _rules(EDIT), into="edit"),
        _role("system:aggregate-to-admin", _rules(ADMIN), into="admin"),
        *collected,
        _role("system:basic-user", _rules(BASIC_USER)),
        _role("system:discovery", [{"verbs": ["get"], "nonResourceURLs": DISCOVERY_URLS}]),
        _role("system:public-info-viewer", [{"verbs": ["get"], "nonResourceURLs": HEALTH_URLS}]),
    ]


BOUND = {
    "cluster-admin": ["system:masters"],
    "system:basic-user": ["system:authenticated"],
    "system:discovery": ["system:authenticated"],
    "system:public-info-viewer": ["system:authenticated", "system:unauthenticated"],
}


def bindings() -> list[Object]:
    return [
        {
            "metadata": {"name": name, "labels": dict(BOOTSTRAP), "annotations": dict(AUTOUPDATE)},
            "roleRef": {"apiGroup": rbac.GROUP, "kind": "ClusterRole", "name": name},
            "subjects": [{"kind": "Group", "apiGroup": rbac.GROUP, "name": group} for group in groups],
        }
        for name, groups in BOUND.items()
    ]


def populate(cluster: Cluster) -> None:
    """Adds what is missing; what somebody changed stays as he left it."""
    for key, objects in ((rbac.CLUSTER_ROLES, roles()), (rbac.CLUSTER_BINDINGS, bindings())):
        for obj in objects:
            if cluster.store.get(key, obj["metadata"]["name"]) is None:
                cluster.create(key, obj, manager=MANAGER)
