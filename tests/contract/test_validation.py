"""Promise: an object of a built-in kind that breaks a rule is refused, with the field and the rule."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import config_map, made, maps, refusal

RBAC, POLICIES = "rbac.authorization.k8s.io", "networkpolicies.networking.k8s.io"
SECRET, CLASS = "<secret contents redacted>", "PriorityClass.scheduling.k8s.io"
OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "o", "uid": "00000000-0000-4000-8000-000000000001"}
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
TWICE = (
    ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject "
    "such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: " + OWNER["uid"]
)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"name": "x" * 254}, f'metadata.name: Invalid value: "{"x" * 254}": must be no more than 253 characters'),
        ({"labels": {"a": "x" * 64}}, f'metadata.labels: Invalid value: "{"x" * 64}": must be no more than 63 bytes'),
        ({"labels": {"/a": "x"}}, 'metadata.labels: Invalid value: "/a": prefix part must be non-empty'),
        ({"ownerReferences": [{**OWNER, "apiVersion": "a/b/c"}]},
         'metadata.ownerReferences.apiVersion: Invalid value: "a/b/c": version must not be empty'),
        ({"finalizers": ["orphan", "foregroundDeletion"]},
         ('metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: '
         "finalizer orphan and foregroundDeletion cannot be both set")),
    ],
)  # fmt: skip
def test_metadata(cluster: Cluster, space: str, metadata: dict[str, Any], said: str) -> None:
    answer = cluster.call("POST", maps(space), config_map("a", metadata))
    name = metadata.get("name", "a")
    assert refusal(answer) == (422, "Invalid", f'ConfigMap "{name}" is invalid: {said}')


@pytest.mark.parametrize(
    ("path", "body", "times"),
    [
        ("configmaps", config_map("a"), 4),
        ("secrets", {"metadata": {"name": "a"}}, 4),
        ("services", {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 1}]}}, 3),
        ("resourcequotas", {"metadata": {"name": "a"}}, 3),
        ("limitranges", {"metadata": {"name": "a"}}, 3),
    ],
)
def test_an_update_names_a_bad_label_as_often_as_it_is_judged(
    cluster: Cluster, space: str, path: str, body: Any, times: int
) -> None:
    where = f"/api/v1/namespaces/{space}/{path}"
    made(cluster, where, body)
    answer = cluster.call("PATCH", f"{where}/a", {"metadata": {"labels": {"k": "x y"}}}, media=MERGE)
    assert answer.body["message"].endswith(f'is invalid: metadata.labels: Invalid value: "x y": {VALUE}')
    assert len(answer.body["details"]["causes"]) == times


def test_an_owner_counts_once(cluster: Cluster, space: str) -> None:
    answer = cluster.call("POST", maps(space), config_map("a", {"ownerReferences": [OWNER, OWNER]}))
    assert (answer.status, answer.body["metadata"]["ownerReferences"]) == (201, [OWNER])
    assert answer.headers["Warning"] == f'299 - "{TWICE}"'


@pytest.mark.parametrize(
    ("path", "kind", "body", "said"),
    [
        ("api/v1/namespaces/{}/configmaps", "ConfigMap", {"data": {"..x": "v"}},
         "data[..x]: Invalid value: \"..x\": must not start with '..'"),
        ("api/v1/namespaces/{}/secrets", "Secret", {"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": ""}},
         "data[ssh-privatekey]: Required value"),
        ("api/v1/namespaces/{}/secrets", "Secret",
         {"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": "[]"}},
         (f'data[.dockercfg]: Invalid value: "{SECRET}": '
         "json: cannot unmarshal array into Go value of type map[string]interface {}")),
        (f"apis/{RBAC}/v1/namespaces/{{}}/rolebindings", f"RoleBinding.{RBAC}",
         {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "r"},
          "subjects": [{"kind": "User", "apiGroup": "x", "name": "u"}]},
         f'subjects[0].apiGroup: Unsupported value: "x": supported values: "{RBAC}"'),
        (f"apis/{RBAC}/v1/namespaces/{{}}/rolebindings", f"RoleBinding.{RBAC}",
         {"roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "a/b"}},
         "roleRef.name: Invalid value: \"a/b\": may not contain '/'"),
        ("apis/networking.k8s.io/v1/namespaces/{}/networkpolicies", "NetworkPolicy.networking.k8s.io",
         {"spec": {"podSelector": {}, "ingress": [{"ports": [{"port": "web", "endPort": 80}]}]}},
         "spec.ingress[0].ports[0].endPort: Invalid value: 80: may not be specified when `port` is non-numeric"),
        ("apis/networking.k8s.io/v1/namespaces/{}/networkpolicies", "NetworkPolicy.networking.k8s.io",
         {"spec": {"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]}]}},
         'spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/16": must be a strict subset of `cidr`'),
        ("apis/coordination.k8s.io/v1/namespaces/{}/leases", "Lease.coordination.k8s.io",
         {"spec": {"leaseDurationSeconds": 0}},
         "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
        ("apis/scheduling.k8s.io/v1/priorityclasses", CLASS, {"value": 2_000_000_000},
         "value: Forbidden: maximum allowed value of a user defined priority is 1000000000"),
    ],
)  # fmt: skip
def test_kinds(cluster: Cluster, space: str, path: str, kind: str, body: Any, said: str) -> None:  # noqa: PLR0917
    answer = cluster.call("POST", "/" + path.format(space), {"metadata": {"name": "a"}, **body})
    assert refusal(answer) == (422, "Invalid", f'{kind} "a" is invalid: {said}')


def test_a_priority_stays(cluster: Cluster, space: str) -> None:
    path = "/apis/scheduling.k8s.io/v1/priorityclasses"
    obj = made(cluster, path, {"metadata": {"name": space}, "value": 5})
    assert obj["preemptionPolicy"] == "PreemptLowerPriority"
    answer = cluster.call("PATCH", f"{path}/{space}", {"value": 6}, media=MERGE)
    assert refusal(answer)[2] == f'{CLASS} "{space}" is invalid: value: Forbidden: may not be changed in an update.'
    cluster.call("DELETE", f"{path}/{space}")


def test_a_key_without_its_certificate_is_warned_of(cluster: Cluster, space: str) -> None:
    body = {"metadata": {"name": "a"}, "type": "kubernetes.io/tls", "stringData": {"tls.crt": "c", "tls.key": "k"}}
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/secrets", body)
    text = "tls: failed to find any PEM data in certificate input"
    assert (answer.status, answer.headers.get("Warning")) == (201, f'299 - "{text}"')
