"""Promise: a service gets addresses and ports that are free, and keeps what its type has a use for."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import made, refusal

WEB = [{"port": 80}]
RANGE = "must be between 1 and 65535, inclusive"
ONLY_BALANCED = "Forbidden: may only be used when `type` is 'LoadBalancer'"
NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
NO_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
TIMEOUT = "spec.sessionAffinityConfig.clientIP.timeoutSeconds: Invalid value: "


def services(space: str, name: str = "") -> str:
    return f"/api/v1/namespaces/{space}/services" + (f"/{name}" if name else "")


def service(name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"ports": WEB, **spec}}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"ports": [{"port": 80, "targetPort": "8080"}]},
         'spec.ports[0].targetPort: Invalid value: "8080": must contain at least one letter (a-z)'),
        ({"ports": [{"port": 70000, "targetPort": 1}]}, f"spec.ports[0].port: Invalid value: 70000: {RANGE}"),
        ({"ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "a"}]},
         'spec.ports[1].name: Duplicate value: "a"'),
        ({"ports": [{"port": 80, "nodePort": 30123}]},
         "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"),
        ({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
         ("spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. "
         "The range of valid ports is 30000-32767")),
        ({"sessionAffinity": "Sticky"},
         'spec.sessionAffinity: Unsupported value: "Sticky": supported values: "ClientIP", "None"'),
        ({"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 0}}},
         f"{TIMEOUT}0: must be greater than 0 and less than 86400"),
        ({"clusterIP": "1.2.3", "ports": []}, f'spec.clusterIPs[0]: Invalid value: "1.2.3": {NO_ADDRESS}'),
        ({"ipFamilies": ["IPv5"]},
         'spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"'),
        ({"ipFamilyPolicy": "Both"},
         ('spec.ipFamilyPolicy: Unsupported value: "Both": supported values: '
         '"PreferDualStack", "RequireDualStack", "SingleStack"')),
        ({"externalIPs": ["127.0.0.1"]},
         'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)'),
        ({"type": "NodePort", "clusterIP": "None"},
         "spec.clusterIPs[0]: Invalid value: \"None\": may not be set to 'None' for NodePort services"),
        ({"type": "ExternalName", "externalName": "a.example", "clusterIP": "10.0.0.77"},
         "spec.clusterIPs: Forbidden: may not be set for ExternalName services"),
        ({"loadBalancerSourceRanges": ["10.0.0.0/8"]}, f"spec.LoadBalancerSourceRanges: {ONLY_BALANCED}"),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0"]},
         f'spec.LoadBalancerSourceRanges[0]: Invalid value: "10.0.0.0": {NO_CIDR}'),
        ({"allocateLoadBalancerNodePorts": True}, f"spec.allocateLoadBalancerNodePorts: {ONLY_BALANCED}"),
        ({"loadBalancerClass": "a.example/b"}, f"spec.loadBalancerClass: {ONLY_BALANCED}"),
        ({"externalTrafficPolicy": "Local"},
         'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services'),
        ({"internalTrafficPolicy": "Nah"},
         'spec.internalTrafficPolicy: Unsupported value: "Nah": supported values: "Cluster", "Local"'),
        ({"trafficDistribution": "Nah"},
         ('spec.trafficDistribution: Unsupported value: "Nah": supported values: '
         '"PreferClose", "PreferSameZone", "PreferSameNode"')),
        ({"type": "NodePort", "healthCheckNodePort": 30999},
         ("spec.healthCheckNodePort: Invalid value: 30999: may only be set when `type` is 'LoadBalancer' and "
         "`externalTrafficPolicy` is 'Local'")),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(cluster: Cluster, space: str, spec: dict[str, Any], said: str) -> None:
    answer = cluster.call("POST", services(space), service("s", **spec))
    assert refusal(answer) == (422, "Invalid", f'Service "s" is invalid: {said}')


@pytest.mark.parametrize(
    ("spec", "warning"),
    [
        ({"externalIPs": ["1.2.3.4"]}, "spec.externalIPs is deprecated and may no longer be implemented in some clusters"),
        ({"externalName": "a.example"}, 'spec.externalName is ignored when spec.type is not \\"ExternalName\\"'),
        ({"clusterIP": "None", "selector": {"a": "b"}, "sessionAffinity": "ClientIP"},
         "spec.SessionAffinity is ignored for headless services"),
    ],
)  # fmt: skip
def test_what_is_of_no_use_is_warned_of(cluster: Cluster, space: str, spec: dict[str, Any], warning: str) -> None:
    answer = cluster.call("POST", services(space), service("s", **spec))
    assert (answer.status, answer.headers.get("Warning")) == (201, f'299 - "{warning}"')


def test_defaults_follow_from_the_type(cluster: Cluster, space: str) -> None:
    plain = made(cluster, services(space), service("plain", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 9}}))
    assert "sessionAffinityConfig" not in plain["spec"]
    assert plain["spec"]["internalTrafficPolicy"] == "Cluster"
    sticky = made(cluster, services(space), service("sticky", sessionAffinity="ClientIP"))
    assert sticky["spec"]["sessionAffinityConfig"] == {"clientIP": {"timeoutSeconds": 10800}}
    outside = made(cluster, services(space), service("outside", externalIPs=["1.2.3.4"]))
    assert outside["spec"]["externalTrafficPolicy"] == "Cluster"
    named = made(cluster, services(space), service("named", type="ExternalName", externalName="a.example"))
    assert not set(named["spec"]) & {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"}


def test_a_dry_run_shows_an_address(cluster: Cluster, space: str) -> None:
    answer = cluster.call("POST", services(space) + "?dryRun=All", service("s", type="NodePort"))
    assert answer.status == 201
    assert answer.body["spec"]["clusterIP"]
    assert answer.body["spec"]["ports"][0]["nodePort"] >= 30000
    assert cluster.call("GET", services(space, "s")).status == 404


def test_one_port_in_two_protocols_has_one_node_port(cluster: Cluster, space: str) -> None:
    ports = [{"name": "t", "port": 53, "protocol": "TCP"}, {"name": "u", "port": 53, "protocol": "UDP"}]
    first, second = made(cluster, services(space), service("dns", type="NodePort", ports=ports))["spec"]["ports"]
    assert first["nodePort"] == second["nodePort"]


def test_a_type_drops_what_it_has_no_use_for(cluster: Cluster, space: str) -> None:
    made(cluster, services(space), service("s", type="NodePort"))

    def become(kind: str | None, **more: Any) -> dict[str, Any]:
        answer = cluster.call("PATCH", services(space, "s"), {"spec": {"type": kind, **more}}, media=MERGE)
        assert answer.status == 200, answer.text
        spec: dict[str, Any] = answer.body["spec"]
        return spec

    plain = become("ClusterIP")
    assert "externalTrafficPolicy" not in plain
    assert "nodePort" not in plain["ports"][0]
    assert become("LoadBalancer")["allocateLoadBalancerNodePorts"] is True
    assert "allocateLoadBalancerNodePorts" not in become("ClusterIP")
    named = become("ExternalName", externalName="a.example")
    assert not set(named) & {"clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"}
    assert become("ClusterIP", externalName=None)["clusterIP"]


def test_what_is_settled_once_stays(cluster: Cluster, space: str) -> None:
    spec = {"type": "LoadBalancer", "loadBalancerClass": "a.example/b", "externalTrafficPolicy": "Local"}
    number = made(cluster, services(space), service("s", **spec))["spec"]["healthCheckNodePort"]
    assert number >= 30000
    for change, said in (
        ({"loadBalancerClass": "a.example/c"},
         'spec.loadBalancerClass: Invalid value: "a.example/c": may not change once set'),
        ({"healthCheckNodePort": number + 1 if number < 32767 else 30000},
         "spec.healthCheckNodePort: Forbidden: field is immutable"),
    ):  # fmt: skip
        answer = cluster.call("PATCH", services(space, "s"), {"spec": change}, media=MERGE)
        assert refusal(answer) == (422, "Invalid", f'Service "s" is invalid: {said}')
