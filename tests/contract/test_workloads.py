"""Promise: deployments, replica sets, stateful and daemon sets are filled up and judged in the server's words."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import made, refusal

LABELS = {"app": "x"}
POD = {"containers": [{"name": "c", "image": "example.invalid/i:1"}]}
UNMET = "spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`"
NEVER = {"metadata": {"labels": LABELS}, "spec": {**POD, "restartPolicy": "Never"}}
BARE = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c"}]}}


def path(space: str, kind: str, name: str = "") -> str:
    return f"/apis/apps/v1/namespaces/{space}/{kind.lower()}s{'/' if name else ''}{name}"


def workload(kind: str, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": LABELS}, "spec": POD}
    whole = {"selector": {"matchLabels": LABELS}, "template": template, **spec}
    if kind != "DaemonSet":
        whole = {"replicas": 0, **whole}
    whole = {name: value for name, value in whole.items() if value is not None}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "d"}, "spec": whole}


@pytest.mark.parametrize(("kind", "spec", "why"), [
    ("Deployment", {"selector": None}, f"[spec.selector: Required value, {UNMET}]"),
    ("Deployment", {"selector": {}}, "spec.selector: Invalid value: {}: empty selector is invalid for deployment"),
    ("Deployment", {"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
    ("Deployment", {"template": BARE}, "spec.template.spec.containers[0].image: Required value"),
    ("Deployment", {"template": NEVER},
     'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'),
    ("Deployment", {"strategy": {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}},
     "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"),
    ("Deployment", {"strategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}},
     "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0"),
    ("Deployment", {"progressDeadlineSeconds": 5, "minReadySeconds": 5},
     "spec.progressDeadlineSeconds: Invalid value: 5: must be greater than minReadySeconds"),
    ("ReplicaSet", {"selector": {"matchLabels": {"app": "y"}}}, UNMET),
    ("StatefulSet", {"selector": {"matchLabels": {"app": "y"}}}, UNMET),
    ("StatefulSet", {"template": BARE}, "spec.template.spec.containers[0].image: Required value"),
    ("StatefulSet", {"podManagementPolicy": "Foo"},
     "spec.podManagementPolicy: Invalid value: \"Foo\": must be 'OrderedReady' or 'Parallel'"),
    ("DaemonSet", {"selector": {"matchLabels": {"app": "y"}}}, UNMET),
    ("DaemonSet", {"updateStrategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 1}}},
     "spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero"),
])  # fmt: skip
def test_a_rule_is_named(cluster: Cluster, space: str, kind: str, spec: Any, why: str) -> None:
    answer = cluster.call("POST", path(space, kind), workload(kind, **spec))
    text = f'{kind}.apps "d" is invalid: {why.replace("{}: `", "{!}: `")}'.replace("{!}", '{"app":"x"}')
    assert refusal(answer) == (422, "Invalid", text)


@pytest.mark.parametrize(("kind", "filled"), [
    ("Deployment", {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
                    "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600}),
    ("StatefulSet", {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                     "podManagementPolicy": "OrderedReady", "revisionHistoryLimit": 10,
                     "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}),
    ("DaemonSet", {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
                   "revisionHistoryLimit": 10}),
    ("ReplicaSet", {"replicas": 0}),
])  # fmt: skip
def test_what_is_left_out_is_filled_in(cluster: Cluster, space: str, kind: str, filled: Any) -> None:
    extra = {} if kind != "DaemonSet" else {"nodeSelector": {"example.org/none": "such"}}
    template = {"metadata": {"labels": LABELS}, "spec": {**POD, **extra}}
    spec = made(cluster, path(space, kind), workload(kind, template=template))["spec"]
    assert {name: spec[name] for name in filled} == filled
    assert (spec["template"]["spec"]["restartPolicy"], spec["template"]["spec"]["dnsPolicy"]) == (
        "Always",
        "ClusterFirst",
    )


@pytest.mark.parametrize(("kind", "patch", "why"), [
    ("Deployment", {"selector": {"matchLabels": {"app": "y"}}, "template": {"metadata": {"labels": {"app": "y"}}}},
     'spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable'),
    ("StatefulSet", {"serviceName": "other"},
     ("spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
     "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
     "forbidden")),
])  # fmt: skip
def test_what_is_settled_stays(cluster: Cluster, space: str, kind: str, patch: Any, why: str) -> None:
    made(cluster, path(space, kind), workload(kind))
    answer = cluster.call("PATCH", path(space, kind, "d"), {"spec": patch}, media=MERGE)
    assert refusal(answer) == (422, "Invalid", f'{kind}.apps "d" is invalid: {why}')


def test_a_stateful_set_mounts_what_it_will_claim(cluster: Cluster, space: str) -> None:
    """Its pods' volumes are made from its claim templates; its name, which they get with a number, has to be a label."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    mounting = {"containers": [{**POD["containers"][0], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}]}
    template = {"metadata": {"labels": LABELS}, "spec": mounting}
    body = workload("StatefulSet", template=template, volumeClaimTemplates=[{"metadata": {"name": "d"}, "spec": claim}])
    (made_of,) = made(cluster, path(space, "StatefulSet"), body)["spec"]["volumeClaimTemplates"]
    assert (made_of["kind"], made_of["spec"]["volumeMode"]) == ("PersistentVolumeClaim", "Filesystem")
    answer = cluster.call("POST", path(space, "StatefulSet"), {**body, "metadata": {"name": "a.b"}})
    text = 'StatefulSet.apps "a.b" is invalid: metadata.name: Invalid value: "a.b": must not contain dots'
    assert refusal(answer) == (422, "Invalid", text)
