"""Promise: kinds that OVIM does not use itself are judged, filled up and shown in the server's words too."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import made, refusal

POD = {"containers": [{"name": "c", "image": "example.invalid/i:1"}]}
NEVER = {"spec": {**POD, "restartPolicy": "Never"}}
JOB: dict[str, Any] = {"suspend": True, "template": NEVER}
CRON: dict[str, Any] = {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": {"template": NEVER}}}
SCALER: dict[str, Any] = {
    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
    "maxReplicas": 3,
}
BACKEND = {"service": {"name": "s", "port": {"number": 80}}}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
APIS = {
    "Job": ("batch/v1", "jobs"),
    "CronJob": ("batch/v1", "cronjobs"),
    "HorizontalPodAutoscaler": ("autoscaling/v2", "horizontalpodautoscalers"),
    "PodDisruptionBudget": ("policy/v1", "poddisruptionbudgets"),
    "Ingress": ("networking.k8s.io/v1", "ingresses"),
    "NetworkPolicy": ("networking.k8s.io/v1", "networkpolicies"),
}


def where(space: str, kind: str, name: str = "") -> str:
    version, plural = APIS[kind]
    return f"/apis/{version}/namespaces/{space}/{plural}" + (f"/{name}" if name else "")


def paths(**path: Any) -> dict[str, Any]:
    return {"rules": [{"http": {"paths": [{"pathType": "Prefix", "path": "/", "backend": BACKEND, **path}]}}]}


@pytest.mark.parametrize(("kind", "spec", "why"), [
    ("Job", {**JOB, "backoffLimit": -1}, "spec.backoffLimit: Invalid value: -1: must be greater than or equal to 0"),
    ("Job", {**JOB, "template": {"spec": POD}},
     'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'),
    ("Job", {**JOB, "completionMode": "Indexed", "parallelism": 1},
     "spec.completions: Required value: when completion mode is Indexed"),
    ("CronJob", {**CRON, "schedule": "99 * * * *"},
     'spec.schedule: Invalid value: "99 * * * *": end of range (99) above maximum (59): 99'),
    ("CronJob", {**CRON, "timeZone": "Nope/X"}, 'spec.timeZone: Invalid value: "Nope/X": unknown time zone Nope/X'),
    ("CronJob", {**CRON, "concurrencyPolicy": "X"},
     'spec.concurrencyPolicy: Unsupported value: "X": supported values: "Allow", "Forbid", "Replace"'),
    ("HorizontalPodAutoscaler", {**SCALER, "minReplicas": 5},
     "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"),
    ("HorizontalPodAutoscaler", {**SCALER, "metrics": [{"type": "Resource"}]},
     "spec.metrics[0].resource: Required value: must populate information for the given metric source"),
    ("PodDisruptionBudget", {"minAvailable": "150%"},
     'spec.minAvailable: Invalid value: "150%": must not be greater than 100%'),
    ("Ingress", paths(path="/a//b"), "spec.rules[0].http.paths[0].path: Invalid value: \"/a//b\": must not contain '//'"),
    ("Ingress", paths(backend={}),
     'spec.rules[0].http.paths[0].backend: Invalid value: "": resource or service backend is required'),
    ("Ingress", {"rules": [{"host": "1.2.3.4"}]},
     'spec.rules[0].host: Invalid value: "1.2.3.4": must be a DNS name, not an IP address'),
    ("NetworkPolicy", {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": "1.2.3.4/24"}}]}]},
     ('spec.ingress[0].from[0].ipBlock.cidr: Invalid value: "1.2.3.4/24": '
      "must not have bits set beyond the prefix length")),
])  # fmt: skip
def test_a_rule_is_named(cluster: Cluster, space: str, kind: str, spec: Any, why: str) -> None:
    given = {name: value for name, value in spec.items() if value is not None}
    answer = cluster.call("POST", where(space, kind), {"metadata": {"name": "x"}, "spec": given})
    group = APIS[kind][0].partition("/")[0]
    assert refusal(answer) == (422, "Invalid", f'{kind}.{group} "x" is invalid: {why}')


def test_a_job_finds_its_pods(cluster: Cluster, space: str) -> None:
    job = made(cluster, where(space, "Job"), {"metadata": {"name": "j"}, "spec": JOB})
    uid, spec = job["metadata"]["uid"], job["spec"]
    labels = {
        "batch.kubernetes.io/controller-uid": uid, "controller-uid": uid,
        "batch.kubernetes.io/job-name": "j", "job-name": "j",
    }  # fmt: skip
    assert spec["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert spec["template"]["metadata"]["labels"] == job["metadata"]["labels"] == labels
    filled = ("parallelism", "completions", "backoffLimit", "completionMode", "podReplacementPolicy")
    assert [spec[name] for name in filled] == [1, 1, 6, "NonIndexed", "TerminatingOrFailed"]
    gone = cluster.call("DELETE", where(space, "Job", "j"))
    assert gone.headers["Warning"].startswith('299 - "child pods are preserved by default when jobs are deleted; ')


def test_an_autoscaler_is_filled_up(cluster: Cluster, space: str) -> None:
    body = {"metadata": {"name": "x"}, "spec": SCALER}
    spec = made(cluster, where(space, "HorizontalPodAutoscaler"), body)["spec"]
    assert spec["minReplicas"] == 1
    target = {"type": "Utilization", "averageUtilization": 80}
    assert spec["metrics"] == [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]


@pytest.mark.parametrize(("kind", "spec", "columns", "cells"), [
    ("Job", {**JOB, "completions": 2}, ["Status", "Completions", "Duration"], ["0/2", ""]),
    ("CronJob", CRON, ["Schedule", "Timezone", "Suspend", "Active"], ["0 0 1 1 *", "<none>", "True", 0]),
    ("HorizontalPodAutoscaler", SCALER, ["Reference", "Targets", "MinPods", "MaxPods"],
     ["Deployment/d", "cpu: <unknown>/80%", "1", 3]),
    ("PodDisruptionBudget", {"minAvailable": 1}, ["Min Available", "Max Unavailable"], ["1", "N/A"]),
    ("Ingress", paths(), ["Class", "Hosts", "Address", "Ports"], ["<none>", "*", "", "80"]),
])  # fmt: skip
def test_the_columns(  # noqa: PLR0917
    cluster: Cluster, space: str, kind: str, spec: Any, columns: list[str], cells: list[Any]
) -> None:
    made(cluster, where(space, kind), {"metadata": {"name": "x"}, "spec": spec})
    table = cluster.call("GET", where(space, kind), headers=TABLE).body
    names = [column["name"] for column in table["columnDefinitions"]]
    assert names[: len(columns) + 1] == ["Name", *columns]
    row = table["rows"][0]["cells"]
    assert row[1 : len(cells) + 1] == cells or row[2 : len(cells) + 2] == cells  # whether a job is suspended yet


def test_some_kinds_need_the_version_that_was_read(cluster: Cluster, space: str) -> None:
    """Their PUT without one is refused; a patch never needs it."""
    budget = made(
        cluster, where(space, "PodDisruptionBudget"), {"metadata": {"name": "b"}, "spec": {"minAvailable": 1}}
    )
    path, meta = where(space, "PodDisruptionBudget", "b"), budget["metadata"]
    bare = cluster.call("PUT", path, {"metadata": {"name": "b"}, "spec": {"minAvailable": 2}})
    why = "metadata.resourceVersion: Invalid value: 0: must be specified for an update"
    assert refusal(bare) == (422, "Invalid", f'poddisruptionbudgets.policy "b" is invalid: {why}')
    read = {"name": "b", "resourceVersion": meta["resourceVersion"]}
    assert cluster.call("PUT", path, {"metadata": read, "spec": {"minAvailable": 2}}).status in {200, 409}
    assert cluster.call("PATCH", path, {"spec": {"minAvailable": 3}}, media=MERGE).status == 200


@pytest.mark.parametrize(("change", "why"), [
    ({"capacity": None},
     '[spec.capacity: Required value, spec.capacity: Unsupported value: null: supported values: "storage"]'),
    ({"hostPath": None}, "spec: Required value: must specify a volume type"),
    ({"nfs": {"server": "a", "path": "/x"}}, "spec.nfs: Forbidden: may not specify more than 1 volume type"),
])  # fmt: skip
def test_a_volume_that_makes_no_sense(cluster: Cluster, space: str, change: Any, why: str) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}, **change}
    given = {name: value for name, value in spec.items() if value is not None}
    answer = cluster.call("POST", "/api/v1/persistentvolumes", {"metadata": {"name": space}, "spec": given})
    assert refusal(answer) == (422, "Invalid", f'PersistentVolume "{space}" is invalid: {why}')


def test_endpoints_are_of_yesterday(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/endpoints"
    body = {"metadata": {"name": "x"}, "subsets": [{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 0}]}]}
    answer = cluster.call("POST", path, body)
    why = "subsets[0].ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"
    assert refusal(answer) == (422, "Invalid", f'Endpoints "x" is invalid: {why}')
    text = "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"
    assert answer.headers["Warning"] == cluster.call("GET", path).headers["Warning"] == f'299 - "{text}"'


def test_an_event_belongs_where_it_is_about(cluster: Cluster, space: str) -> None:
    body = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "namespace": "other", "name": "p"}}
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/events", body)
    why = 'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    assert refusal(answer) == (422, "Invalid", f'Event "e" is invalid: {why}')


@pytest.mark.parametrize(("labels", "why"), [
    ({"pod-security.kubernetes.io/enforce": "some"}, '"some": must be one of privileged, baseline, restricted'),
    ({"pod-security.kubernetes.io/warn-version": "2"}, '"2": must be "latest" or "v1.x"'),
])  # fmt: skip
def test_a_level_of_security_is_a_known_word(cluster: Cluster, space: str, labels: Any, why: str) -> None:
    answer = cluster.call("PATCH", f"/api/v1/namespaces/{space}", {"metadata": {"labels": labels}}, media=MERGE)
    (name,) = labels
    text = f'Namespace "{space}" is invalid: metadata.labels[{name}]: Invalid value: {why}'
    assert refusal(answer) == (422, "Invalid", text)
