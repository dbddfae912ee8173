"""Users of a cluster, for cases about rights: impersonated ones, and service accounts with tokens of their own."""

from typing import Any

from tests.contract.conftest import Cluster

RBAC = "/apis/rbac.authorization.k8s.io/v1"


def role(cluster: Cluster, space: str, name: str, *rules: dict[str, Any]) -> None:
    body = {"metadata": {"name": name}, "rules": list(rules)}
    made = cluster.call("POST", f"{RBAC}/namespaces/{space}/roles", body)
    assert made.status == 201, made.text


def rule(resources: str, verbs: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources.split(","), "verbs": verbs.split(","), **more}


def binding(name: str, to: str, kind: str, *subjects: dict[str, str]) -> dict[str, Any]:
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": to}
    return {"metadata": {"name": name}, "roleRef": ref, "subjects": list(subjects)}


def bind(cluster: Cluster, space: str, name: str, *subjects: dict[str, str], kind: str = "Role") -> None:
    """A RoleBinding of the same name as its role."""
    made = cluster.call("POST", f"{RBAC}/namespaces/{space}/rolebindings", binding(name, name, kind, *subjects))
    assert made.status == 201, made.text


def user(name: str) -> dict[str, str]:
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def account(cluster: Cluster, space: str, name: str) -> tuple[Cluster, dict[str, str]]:
    """A new service account: the cluster spoken to with its token, and the account as a subject of bindings."""
    made = cluster.call("POST", f"/api/v1/namespaces/{space}/serviceaccounts", {"metadata": {"name": name}})
    assert made.status == 201, made.text
    subject = {"kind": "ServiceAccount", "name": name, "namespace": space}
    return with_token(cluster, token(cluster, space, name)), subject


def token(cluster: Cluster, space: str, name: str, **spec: Any) -> str:
    path = f"/api/v1/namespaces/{space}/serviceaccounts/{name}/token"
    made = cluster.call("POST", path, {"spec": {"expirationSeconds": 600, **spec}})
    assert made.status == 201, made.text
    value: str = made.body["status"]["token"]
    return value


def with_token(cluster: Cluster, value: str) -> Cluster:
    other = object.__new__(Cluster)
    other.__dict__.update(cluster.__dict__)
    other.headers = {"Authorization": f"Bearer {value}"}
    return other
