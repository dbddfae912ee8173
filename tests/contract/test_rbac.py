"""Promise: stored roles and bindings decide who may do what, and nobody grants more than he holds (k8s-transcript 11, 12)."""

import time
from collections.abc import Iterator

import pytest

from tests.contract.accounts import RBAC, account, bind, binding, role, rule, user
from tests.contract.conftest import APPLY, MERGE, Cluster

ESCALATION = "is attempting to grant RBAC permissions not currently held:\n"
ALL = '{APIGroups:["*"], Resources:["*"], Verbs:["*"]}\n{NonResourceURLs:["*"], Verbs:["*"]}'


@pytest.fixture
def alice(cluster: Cluster, space: str) -> Cluster:
    """May write roles and bindings by explicit verbs, and read ConfigMaps."""
    verbs = "get,list,create,update,patch,delete"
    role(
        cluster,
        space,
        "rbadmin",
        rule("roles,rolebindings", verbs, "rbac.authorization.k8s.io"),
        rule("configmaps", "get,list"),
    )
    bind(cluster, space, "rbadmin", user("alice"))
    return cluster.as_user("alice", "tenants")


def roles(space: str) -> str:
    return f"{RBAC}/namespaces/{space}/roles"


def bindings(space: str) -> str:
    return f"{RBAC}/namespaces/{space}/rolebindings"


def test_a_role_allows_what_it_names_and_nothing_else(cluster: Cluster, space: str, alice: Cluster) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert alice.call("GET", path).status == 200
    refused = alice.call("POST", path, {"metadata": {"name": "x"}})
    assert refused.status == 403
    why = f'User "alice" cannot create resource "configmaps" in API group "" in the namespace "{space}"'
    assert refused.body["message"] == f"configmaps is forbidden: {why}"
    assert refused.body["details"] == {"kind": "configmaps"}
    elsewhere = alice.call("GET", "/api/v1/namespaces/default/configmaps/kube-root-ca.crt").body["message"]
    why = 'User "alice" cannot get resource "configmaps" in API group "" in the namespace "default"'
    assert elsewhere == f'configmaps "kube-root-ca.crt" is forbidden: {why}'


def test_names_of_resources_are_honoured(cluster: Cluster, space: str) -> None:
    bot, subject = account(cluster, space, "bot")
    role(cluster, space, "one", rule("configmaps", "get,list", resourceNames=["kube-root-ca.crt"]))
    bind(cluster, space, "one", subject)
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert cluster.call("POST", path, {"metadata": {"name": "other"}}).status == 201
    assert bot.call("GET", f"{path}/other").status == 403
    assert bot.call("GET", path).status == 403
    end = time.monotonic() + 10
    while bot.call("GET", f"{path}/kube-root-ca.crt").status != 200:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert bot.call("GET", f"{path}?fieldSelector=metadata.name%3Dkube-root-ca.crt").status == 200
    assert bot.call("GET", f"{path}?fieldSelector=metadata.name%3Dother").status == 403


def test_subresources_are_granted_apart(cluster: Cluster, space: str) -> None:
    bot, subject = account(cluster, space, "bot")
    role(cluster, space, "status", rule("*/status", "get"))
    bind(cluster, space, "status", subject)
    quota = f"/api/v1/namespaces/{space}/resourcequotas"
    made = cluster.call("POST", quota, {"metadata": {"name": "plan"}, "spec": {"hard": {"pods": "1"}}})
    assert made.status == 201
    assert bot.call("GET", f"{quota}/plan/status").status == 200
    assert bot.call("GET", f"{quota}/plan").status == 403


def test_paths_that_are_no_resources(cluster: Cluster, space: str) -> None:
    bot, _ = account(cluster, space, "bot")
    assert bot.call("GET", "/version").status == 200
    assert bot.call("GET", "/apis").status == 200
    refused = bot.call("GET", "/metrics")
    assert refused.status == 403
    why = f'forbidden: User "system:serviceaccount:{space}:bot" cannot get path "/metrics"'
    assert refused.body["message"] == why


def test_a_binding_of_a_role_that_is_missing_says_so(cluster: Cluster, space: str) -> None:
    bot, subject = account(cluster, space, "bot")
    bind(cluster, space, "nowhere", subject)
    message = bot.call("GET", f"/api/v1/namespaces/{space}/configmaps").body["message"]
    assert message.endswith(f'in the namespace "{space}": RBAC: role.rbac.authorization.k8s.io "nowhere" not found')


def test_a_role_may_not_hold_more_than_its_writer(cluster: Cluster, space: str, alice: Cluster) -> None:
    body = {"metadata": {"name": "big"}, "rules": [rule("secrets", "get,list"), rule("configmaps", "get")]}
    refused = alice.call("POST", roles(space), body)
    who = 'user "alice" (groups=["tenants" "system:authenticated"])'
    missing = '{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list"]}'
    start = 'roles.rbac.authorization.k8s.io "big" is forbidden'
    assert (refused.status, refused.body["message"]) == (403, f"{start}: {who} {ESCALATION}{missing}")
    assert refused.body["details"] == {"name": "big", "group": "rbac.authorization.k8s.io", "kind": "roles"}
    small = {"metadata": {"name": "small"}, "rules": [rule("configmaps", "get")]}
    assert alice.call("POST", roles(space), small).status == 201
    grown = alice.call("PATCH", f"{roles(space)}/small", {"rules": [rule("secrets", "get")]}, media=MERGE)
    assert (grown.status, ESCALATION in grown.body["message"]) == (403, True)
    replaced = alice.call("PUT", f"{roles(space)}/small", {**small, "rules": [rule("pods", "*")]})
    assert '{APIGroups:[""], Resources:["pods"], Verbs:["*"]}' in replaced.body["message"]


def test_who_may_escalate_may_write_any_role(cluster: Cluster, space: str, alice: Cluster) -> None:
    role(cluster, space, "escalate", rule("roles", "escalate", "rbac.authorization.k8s.io"))
    bind(cluster, space, "escalate", user("alice"))
    body = {"metadata": {"name": "big"}, "rules": [rule("secrets", "get")]}
    assert alice.call("POST", roles(space), body).status == 201


def test_a_binding_may_not_give_more_than_its_writer_has(cluster: Cluster, space: str, alice: Cluster) -> None:
    strong = binding("e1", "cluster-admin", "ClusterRole", user("bob"))
    refused = alice.call("POST", bindings(space), strong)
    assert refused.status == 403
    assert refused.body["message"].endswith(f"{ESCALATION}{ALL}")
    body = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding"}
    body |= binding("e4", "cluster-admin", "ClusterRole", user("bob"))
    applied = alice.call("PATCH", f"{bindings(space)}/e4?fieldManager=x", body, media=APPLY)
    assert applied.status == 403
    assert applied.body["message"].startswith('rolebindings.rbac.authorization.k8s.io "e4" is forbidden: user "alice"')
    assert alice.call("POST", bindings(space), binding("ok", "rbadmin", "Role", user("bob"))).status == 201


def test_a_stronger_binding_may_not_even_be_labelled(cluster: Cluster, space: str, alice: Cluster) -> None:
    made = cluster.call("POST", bindings(space), binding("stronger", "cluster-admin", "ClusterRole", user("bob")))
    assert made.status == 201
    for patch in ({"subjects": [user("alice")]}, {"metadata": {"labels": {"a": "b"}}}):
        refused = alice.call("PATCH", f"{bindings(space)}/stronger", patch, media=MERGE)
        assert (refused.status, ESCALATION in refused.body["message"]) == (403, True)


def test_a_missing_role_can_only_be_bound_by_who_may_bind_it(cluster: Cluster, space: str, alice: Cluster) -> None:
    refused = alice.call("POST", bindings(space), binding("e3", "missing", "Role", user("bob")))
    assert (refused.status, refused.body["details"]["name"]) == (404, "missing")
    role(cluster, space, "bind", rule("roles", "bind", "rbac.authorization.k8s.io"))
    bind(cluster, space, "bind", user("alice"))
    assert alice.call("POST", bindings(space), binding("e3", "missing", "Role", user("bob"))).status == 201


def test_who_may_bind_a_role_may_give_it_away(cluster: Cluster, space: str, alice: Cluster) -> None:
    view = binding("e2", "view", "ClusterRole", user("bob"))
    refused = alice.call("POST", bindings(space), view)
    listed = refused.body["message"].partition(ESCALATION)[2].splitlines()
    assert refused.status == 403
    assert listed[:3] == [
        '{APIGroups:[""], Resources:["bindings"], Verbs:["get" "list" "watch"]}',
        '{APIGroups:[""], Resources:["configmaps"], Verbs:["watch"]}',
        '{APIGroups:[""], Resources:["endpoints"], Verbs:["get" "list" "watch"]}',
    ]
    named = rule("clusterroles", "bind", "rbac.authorization.k8s.io", resourceNames=["view"])
    role(cluster, space, "binder", named)
    bind(cluster, space, "binder", user("alice"))
    assert alice.call("POST", bindings(space), view).status == 201


def test_a_star_on_roles_is_everything(cluster: Cluster, space: str) -> None:
    role(cluster, space, "star", rule("roles,rolebindings", "*", "rbac.authorization.k8s.io"))
    bind(cluster, space, "star", user("carol"))
    carol = cluster.as_user("carol")
    body = {"metadata": {"name": "big"}, "rules": [rule("secrets", "get")]}
    assert carol.call("POST", roles(space), body).status == 201
    assert carol.call("POST", bindings(space), binding("e3", "missing", "Role", user("bob"))).status == 201


def test_an_apply_that_creates_needs_both_rights(cluster: Cluster, space: str) -> None:
    bot, subject = account(cluster, space, "bot")
    path = f"/api/v1/namespaces/{space}/configmaps/zz"
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "zz"}}
    refused = bot.call("PATCH", f"{path}?fieldManager=x", body, media=APPLY)
    assert 'cannot patch resource "configmaps"' in refused.body["message"]
    role(cluster, space, "patcher", rule("configmaps", "patch"))
    bind(cluster, space, "patcher", subject)
    end = time.monotonic() + 10
    while "cannot patch" in (refused := bot.call("PATCH", f"{path}?fieldManager=x", body, media=APPLY)).text:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert refused.status == 403
    why = f'User "system:serviceaccount:{space}:bot" cannot create resource "configmaps" in API group ""'
    assert refused.body["message"] == f'configmaps "zz" is forbidden: {why} in the namespace "{space}"'


@pytest.fixture
def collected(cluster: Cluster, space: str) -> Iterator[str]:
    yield space
    for name in (f"{space}-part", f"{space}-whole", f"{space}-sneak"):
        cluster.call("DELETE", f"{RBAC}/clusterroles/{name}")


def test_a_role_that_collects_others_gets_their_rules(cluster: Cluster, collected: str) -> None:
    path, mark = f"{RBAC}/clusterroles", {f"{collected}.ovim.io/part": "1"}
    widgets = rule("widgets", "get,list,watch", "ovim.io")
    labels = {**mark, "rbac.authorization.k8s.io/aggregate-to-view": "true"}
    part = {"metadata": {"name": f"{collected}-part", "labels": labels}, "rules": [widgets]}
    assert cluster.call("POST", path, part).status == 201
    whole = {
        "metadata": {"name": f"{collected}-whole"},
        "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": mark}]},
        "rules": [rule("pods", "get")],
    }
    assert cluster.call("POST", path, whole).status == 201
    end = time.monotonic() + 10
    while cluster.call("GET", f"{path}/{collected}-whole").body["rules"] != [widgets]:
        assert time.monotonic() < end, "the rules were never replaced"
        time.sleep(0.1)
    for name in ("view", "edit", "admin"):  # each collects the one before
        while widgets not in cluster.call("GET", f"{path}/{name}").body["rules"]:
            assert time.monotonic() < end, f"{name} never got the rules"
            time.sleep(0.1)


def test_the_built_in_roles_reach_machines(cluster: Cluster, space: str) -> None:
    bind(cluster, space, "edit", user("erin"), kind="ClusterRole")
    bind(cluster, space, "view", user("vera"), kind="ClusterRole")
    path = f"/apis/kubevirt.io/v1/namespaces/{space}/virtualmachines"
    start = f"/apis/subresources.kubevirt.io/v1/namespaces/{space}/virtualmachines/none/start"
    if cluster.call("GET", path).status == 404:
        pytest.skip("a cluster without KubeVirt")
    erin, vera = cluster.as_user("erin"), cluster.as_user("vera")
    assert erin.call("GET", path).status == vera.call("GET", path).status == 200
    assert erin.call("DELETE", f"{path}/none").status == 404
    assert vera.call("DELETE", f"{path}/none").status == 403
    assert erin.call("PUT", start, {}).status == 404
    refused = vera.call("PUT", start, {})
    why = 'User "vera" cannot update resource "virtualmachines/start" in API group "subresources.kubevirt.io"'
    assert (refused.status, why in refused.body["message"]) == (403, True)
    assert vera.call("GET", f"/api/v1/namespaces/{space}/secrets").status == 403


def test_only_who_has_everything_may_write_a_role_that_collects(cluster: Cluster, collected: str) -> None:
    name = f"{collected}-part"
    writer = {"metadata": {"name": name}, "rules": [rule("clusterroles", "create", "rbac.authorization.k8s.io")]}
    assert cluster.call("POST", f"{RBAC}/clusterroles", writer).status == 201
    path = f"{RBAC}/clusterrolebindings"
    assert cluster.call("POST", path, binding(name, name, "ClusterRole", user(f"{collected}-dave"))).status == 201
    try:
        dave = cluster.as_user(f"{collected}-dave")
        sneak = {
            "metadata": {"name": f"{collected}-sneak"},
            "aggregationRule": {"clusterRoleSelectors": [{"matchLabels": {"a": "b"}}]},
            "rules": None,
        }
        refused = dave.call("POST", f"{RBAC}/clusterroles", sneak)
        assert refused.status == 403
        assert "must have cluster-admin privileges to use the aggregationRule" in refused.body["message"]
    finally:
        cluster.call("DELETE", f"{path}/{name}")


def test_a_namespace_is_in_itself(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}"
    dora = cluster.as_user("dora")
    refused = dora.call("GET", path)
    assert refused.status == 403
    assert f'cannot get resource "namespaces" in API group "" in the namespace "{space}"' in refused.body["message"]
    role(cluster, space, "looks", rule("namespaces", "get"))
    bind(cluster, space, "looks", user("dora"))
    end = time.monotonic() + 10
    while dora.call("GET", path).status != 200:
        assert time.monotonic() < end, "the role never reached its namespace"
        time.sleep(0.1)
