"""Promise: pods are filled up, judged and settled in the server's words, and so are the templates of pods."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, STRATEGIC, Cluster
from tests.contract.things import made, refusal

CONTAINER = {"name": "c", "image": "example.invalid/i:1"}


def pods(space: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{space}/pods" + (f"/{name}" if name else "")


def pod(name: str = "p", container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    containers = [{**CONTAINER, **(container or {})}]
    whole = {"automountServiceAccountToken": False, "containers": containers, **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": whole}


@pytest.fixture
def ready(cluster: Cluster, space: str) -> str:
    """The namespace, once its service account is there."""
    for _ in range(100):
        if cluster.call("GET", f"/api/v1/namespaces/{space}/serviceaccounts/default").status == 200:
            break
    return space


C = "spec.containers[0]"
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"


@pytest.mark.parametrize(("container", "why"), [
    ({"image": " x"}, f'{C}.image: Invalid value: " x": must not have leading or trailing whitespace'),
    ({"ports": [{"containerPort": 80, "protocol": "tcp"}]},
     f'{C}.ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"'),
    ({"ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}]},
     f'{C}.ports[1].hostPort: Duplicate value: "TCP//8080"'),
    ({"env": [{"name": "A", "value": "b", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}]},
     f'{C}.env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'),
    ({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}}]},
     f"{C}.env[0].valueFrom.secretKeyRef.key: Required value"),
    ({"envFrom": [{}]}, f'{C}.envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'),
    ({"volumeMounts": [{"name": "v", "mountPath": "/a"}]}, f'{C}.volumeMounts[0].name: Not found: "v"'),
    ({"imagePullPolicy": "Often"},
     f'{C}.imagePullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"'),
    ({"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
     f'{C}.resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'),
    ({"resources": {"requests": {"example.com/gpu": "1"}}},
     f"{C}.resources.limits: Required value: Limit must be set for non overcommitable resources"),
    ({"livenessProbe": {"exec": {"command": ["a"]}, "successThreshold": 2}},
     f"{C}.livenessProbe.successThreshold: Invalid value: 2: must be 1"),
    ({"readinessProbe": {"periodSeconds": 3}}, f"{C}.readinessProbe: Required value: must specify a handler type"),
    ({"lifecycle": {"preStop": {"exec": {}}}}, f"{C}.lifecycle.preStop.exec.command: Required value"),
    ({"securityContext": {"runAsUser": -1}},
     f"{C}.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive"),
])  # fmt: skip
def test_a_container_that_makes_no_sense(cluster: Cluster, ready: str, container: Any, why: str) -> None:
    answer = cluster.call("POST", pods(ready), pod(container=container))
    assert refusal(answer) == (422, "Invalid", f'Pod "p" is invalid: {why}')


@pytest.mark.parametrize(("spec", "why"), [
    ({"dnsPolicy": "None"}, "spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"),
    ({"activeDeadlineSeconds": 0},
     "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive"),
    ({"volumes": [{"name": "v", "secret": {}}]}, "spec.volumes[0].secret.secretName: Required value"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/a/../b"}}]},
     "spec.volumes[0].hostPath.path: Invalid value: \"/a/../b\": must not contain '..'"),
    ({"volumes": [{"name": "v", "emptyDir": {}, "secret": {"secretName": "s"}}]},
     "spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"),
    ({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]},
     "spec.tolerations[0].operator: Invalid value: \"b\": value must be empty when `operator` is 'Exists'"),
    ({"initContainers": [{**CONTAINER, "name": "i", "readinessProbe": {"exec": {"command": ["a"]}}}]},
     ("spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without "
      "restartPolicy=Always")),
    ({"topologySpreadConstraints": [{"maxSkew": 0, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]},
     "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero"),
    ({"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
        {"weight": 101, "podAffinityTerm": {"topologyKey": "a"}}]}}},
     ("spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: "
      "Invalid value: 101: must be in the range 1-100")),
    ({"ephemeralContainers": [{**CONTAINER, "name": "e"}]},
     "spec.ephemeralContainers: Forbidden: cannot be set on create"),
    ({"resources": {"limits": {"cpu": "1"}}, "containers": [{**CONTAINER, "resources": {"limits": {"cpu": "2"}}}]},
     None),
])  # fmt: skip
def test_a_pod_that_makes_no_sense(cluster: Cluster, ready: str, spec: Any, why: str | None) -> None:
    code, reason, said = refusal(cluster.call("POST", pods(ready), pod(**spec)))
    assert (code, reason) == (422, "Invalid")
    if why is not None:
        assert said == f'Pod "p" is invalid: {why}'
    else:
        assert 'spec.resources.containers[0][cpu].limits: Invalid value: "2": must be less than' in said


@pytest.mark.parametrize(("spec", "why"), [
    ({"priorityClassName": "nobodys"}, "no PriorityClass with name nobodys was found"),
    ({"runtimeClassName": "nobodys"}, 'pod rejected: RuntimeClass "nobodys" not found'),
    ({"overhead": {"cpu": "1"}}, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"),
    ({"priority": 5},
     ("the integer value of priority (5) must not be provided in pod spec; priority admission controller computed 0 "
      "from the given PriorityClass name")),
])  # fmt: skip
def test_what_admission_refuses(cluster: Cluster, ready: str, spec: Any, why: str) -> None:
    answer = cluster.call("POST", pods(ready), pod(**spec))
    assert refusal(answer) == (403, "Forbidden", f'pods "p" is forbidden: {why}')


def test_a_pod_is_filled_up(cluster: Cluster, ready: str) -> None:
    probe = {"httpGet": {"port": 80}}
    volumes: list[Any] = [
        {"name": "v", "downwardAPI": {"items": [{"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}
    ]
    volumes.append({"name": "e"})  # of no kind, so of the simplest
    body = pod(container={"readinessProbe": probe}, volumes=volumes, priorityClassName="system-cluster-critical")
    spec = made(cluster, pods(ready), body)["spec"]
    assert spec["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/", "port": 80, "scheme": "HTTP"}
    assert spec["volumes"][0]["downwardAPI"]["defaultMode"] == 420
    assert spec["volumes"][0]["downwardAPI"]["items"][0]["fieldRef"]["apiVersion"] == "v1"
    assert spec["volumes"][1] == {"name": "e", "emptyDir": {}}
    assert spec["priority"] == 2_000_000_000


@pytest.mark.parametrize(("resources", "quality"), [
    ({"requests": {"ephemeral-storage": "1Gi"}}, "BestEffort"),
    ({"requests": {"memory": "1Gi"}}, "Burstable"),
    ({"limits": {"cpu": "0.5m", "memory": "1Gi"}}, "Guaranteed"),
])  # fmt: skip
def test_its_quality_follows_from_cpu_and_memory(cluster: Cluster, ready: str, resources: Any, quality: str) -> None:
    found = made(cluster, pods(ready), pod(container={"resources": resources}))
    assert found["status"]["qosClass"] == quality
    if "limits" in resources:  # a request of the same size, and nothing finer than a thousandth
        assert found["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "1m"


def test_what_of_a_pod_may_change(cluster: Cluster, ready: str) -> None:
    made(cluster, pods(ready), pod(activeDeadlineSeconds=20))

    def change(spec: Any) -> tuple[int, str]:
        answer = cluster.call("PATCH", pods(ready, "p"), {"spec": spec}, media=STRATEGIC)
        return answer.status, answer.body.get("message", "")

    assert change({"containers": [{"name": "c", "image": "other"}]})[0] == 200
    assert change({"activeDeadlineSeconds": 10})[0] == 200
    text = 'Pod "p" is invalid: spec.activeDeadlineSeconds: Invalid value: '
    assert change({"activeDeadlineSeconds": 30}) == (422, f"{text}30: must be less than or equal to previous value")
    code, said = change({"containers": [{"name": "c", "command": ["x"]}]})
    assert code == 422
    assert said.startswith('Pod "p" is invalid: spec: Forbidden: pod updates may not change fields other than `spec.')
    text = "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'a.b/c'"
    assert change({"schedulingGates": [{"name": "a.b/c"}]}) == (422, f'Pod "p" is invalid: {text}')


def test_a_pod_that_goes_tells_when(cluster: Cluster, ready: str) -> None:
    """It ends gracefully, be it in no time: a deletion counts as a change of what is wanted."""
    made(cluster, pods(ready), pod())
    meta = cluster.call("DELETE", pods(ready, "p")).body["metadata"]
    assert (meta["generation"], meta["deletionGracePeriodSeconds"]) == (2, 0)
    assert meta["deletionTimestamp"]
    assert cluster.call("GET", pods(ready, "p")).status == 404


@pytest.mark.parametrize(("spec", "said"), [
    ({"imagePullSecrets": [{"name": ""}]}, 'spec.imagePullSecrets[0].name: invalid empty name \\"\\"'),
    ({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "ScheduleAnyway"}]},
     "spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod"),
    ({"containers": [{**CONTAINER, "env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}]},
     ('spec.containers[0].env[1]: hides previous definition of \\"A\\", which may be dropped when using apply')),
    ({"containers": [{**CONTAINER, "resources": {"requests": {"memory": "100m"}}}]},
     'spec.containers[0].resources.requests[memory]: fractional byte value \\"100m\\" is invalid, must be an integer'),
])  # fmt: skip
def test_what_is_likely_a_mistake_is_warned_of(cluster: Cluster, ready: str, spec: Any, said: str) -> None:
    answer = cluster.call("POST", pods(ready), pod(**spec))
    assert (answer.status, answer.headers["Warning"]) == (201, f'299 - "{said}"')


def test_a_node_is_given_once(cluster: Cluster, ready: str) -> None:
    made(cluster, pods(ready), pod())
    where = pods(ready, "p") + "/binding"
    body: dict[str, Any] = {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "nowhere"}}
    wrong = cluster.call("POST", where, {**body, "metadata": {"name": "q"}})
    assert refusal(wrong) == (400, "BadRequest", "name in URL does not match name in Binding object")
    nameless = cluster.call("POST", where, {**body, "target": {"kind": "Node"}})
    assert refusal(nameless) == (500, None, "target.name: Required value")
    assert made(cluster, where, body) == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201
    }  # fmt: skip
    again = cluster.call("POST", where, body)
    why = 'pod p is already assigned to node "nowhere"'
    assert refusal(again) == (409, "Conflict", f'Operation cannot be fulfilled on pods/binding "p": {why}')


def test_an_eviction_names_its_pod(cluster: Cluster, ready: str) -> None:
    made(cluster, pods(ready), pod())
    where = pods(ready, "p") + "/eviction"
    wrong = cluster.call("POST", where, {"metadata": {"name": "q"}})
    assert refusal(wrong) == (400, "BadRequest", "name in URL does not match name in Eviction object")
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    made(cluster, f"{where}?dryRun=All", body)
    assert cluster.call("GET", pods(ready, "p")).status == 200
    made(cluster, where, body)
    assert refusal(cluster.call("POST", where, body)) == (404, "NotFound", 'pods "p" not found')


def test_ephemeral_containers_only_come(cluster: Cluster, ready: str) -> None:
    made(cluster, pods(ready), pod())
    where = pods(ready, "p") + "/ephemeralcontainers"

    def change(*found: Any) -> Any:
        return cluster.call("PATCH", where, {"spec": {"ephemeralContainers": list(found)}}, media=MERGE)

    debugger = {**CONTAINER, "name": "e"}
    assert change(debugger).status == 200
    assert cluster.call("GET", where).body["spec"]["ephemeralContainers"][0]["name"] == "e"
    text = (
        'Pod "p" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers "e" may not be removed'
    )
    assert refusal(change())[2].strip() == text
    twice = change(debugger, CONTAINER)
    assert refusal(twice)[2] == 'Pod "p" is invalid: spec.ephemeralContainers[1].name: Duplicate value: "c"'


@pytest.mark.parametrize(("rest", "said"), [
    ("exec?command=ls", (400, "BadRequest", "pod p does not have a host assigned")),
    ("log?container=zz", (400, "BadRequest", "container zz is not valid for pod p")),
    ("attach", (400, "BadRequest", "pod p does not have a host assigned")),
])  # fmt: skip
def test_nobody_answers_for_a_pod_without_a_node(cluster: Cluster, ready: str, rest: str, said: Any) -> None:
    made(cluster, pods(ready), pod())
    assert refusal(cluster.call("GET", f"{pods(ready, 'p')}/{rest}")) == said
