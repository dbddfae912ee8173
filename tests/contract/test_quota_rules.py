"""Promise: a quota or a limit range that contradicts itself is refused."""

from typing import Any

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import made, refusal

PATH = "spec.scopeSelector.matchExpressions"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"hard": {"count/secrets": "1500m"}}, 'spec.hard[count/secrets]: Invalid value: "1500m": must be an integer'),
        ({"hard": {"a.example/gpu": "500m"}}, 'spec.hard[a.example/gpu]: Invalid value: "500m": must be an integer'),
        ({"hard": {"storage": "1Gi"}},
         'spec.hard[storage]: Invalid value: "storage": must be a standard resource for quota'),
        ({"hard": {"secrets": "1"}, "scopes": ["Nope"]}, 'spec.scopes: Invalid value: ["Nope"]: unsupported scope'),
        ({"hard": {"cpu": "1"}, "scopes": ["BestEffort"]},
         'spec.scopes: Invalid value: ["BestEffort"]: unsupported scope applied to resource'),
        ({"hard": {"pods": "1"},
          "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In"}]}},
         f"{PATH}.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"),
        ({"hard": {"pods": "1"},
          "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Like"}]}},
         f'{PATH}.operator: Invalid value: "Like": not a valid selector operator'),
        ({"hard": {"pods": "1"}, "scopeSelector": {"matchExpressions": [{"scopeName": "Nope", "operator": "Exists"}]}},
         f'{PATH}.scopeName: Invalid value: "Nope": unsupported scope'),
    ],
)  # fmt: skip
def test_a_quota(cluster: Cluster, space: str, spec: dict[str, Any], said: str) -> None:
    body = {"metadata": {"name": "q"}, "spec": spec}
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/resourcequotas", body)
    assert refusal(answer) == (422, "Invalid", f'ResourceQuota "q" is invalid: {said}')


def test_the_order_of_scopes_means_nothing(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/resourcequotas"
    scopes = ["NotBestEffort", "Terminating"]
    made(cluster, path, {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "1"}, "scopes": scopes}})
    assert cluster.call("PATCH", f"{path}/q", {"spec": {"scopes": scopes[::-1]}}, media=MERGE).status == 200


def test_a_scoped_quota_counts_pods_alone(cluster: Cluster, space: str) -> None:
    selector = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    spec = {"hard": {"pods": "0", "count/secrets": "0"}, "scopeSelector": selector}
    made(cluster, f"/api/v1/namespaces/{space}/resourcequotas", {"metadata": {"name": "q"}, "spec": spec})
    made(cluster, f"/api/v1/namespaces/{space}/secrets", {"metadata": {"name": "s"}})


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"type": "Node", "max": {"cpu": "1"}},
         'type: Invalid value: "Node": must be a standard limit type or fully qualified'),
        ({"type": "Pod", "max": {"storage": "1Gi"}},
         'max[storage]: Invalid value: "storage": must be a standard resource for containers'),
        ({"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}, "min": {"bananas": "1"}},
         'min[bananas]: Invalid value: "bananas": must be a standard resource type or fully qualified'),
        ({"type": "Pod", "maxLimitRequestRatio": {"cpu": "500m"}},
         'maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'),
        ({"type": "Pod", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}},
         'maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000'),
    ],
)  # fmt: skip
def test_a_limit_range(cluster: Cluster, space: str, item: dict[str, Any], said: str) -> None:
    body = {"metadata": {"name": "l"}, "spec": {"limits": [item]}}
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/limitranges", body)
    assert refusal(answer) == (422, "Invalid", f'LimitRange "l" is invalid: spec.limits[0].{said}')
