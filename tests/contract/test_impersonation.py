"""Promise: who speaks for others needs the right to, name by name, and is then judged as they are (k8s-transcript 11)."""

import time

import urllib3

from tests.contract.accounts import account, bind, binding, role, rule, user
from tests.contract.conftest import Answer, Cluster

WHO_AM_I = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
CLUSTER_RBAC = "/apis/rbac.authorization.k8s.io/v1"


def ask(cluster: Cluster, method: str, path: str, *headers: tuple[str, str]) -> Answer:
    everything = urllib3.HTTPHeaderDict({**cluster.headers, "Content-Type": "application/json"})
    for name, value in headers:
        everything.add(name, value)
    body = b"{}" if method == "POST" else None
    return Answer(cluster.http.request(method, cluster.url + path, body=body, headers=everything))


def info(answer: Answer) -> dict[str, object]:
    assert answer.status == 201, answer.text
    found: dict[str, object] = answer.body["status"]["userInfo"]
    return found


def test_without_the_right_nobody_speaks_for_others(cluster: Cluster, space: str) -> None:
    bot, _ = account(cluster, space, "imp")
    refused = ask(bot, "GET", f"/api/v1/namespaces/{space}/configmaps", ("Impersonate-User", "alice"))
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert f'User "system:serviceaccount:{space}:imp" cannot impersonate' in refused.body["message"]


def test_the_right_is_judged_name_by_name(cluster: Cluster, space: str) -> None:
    bot, subject = account(cluster, space, "imp")
    name = f"{space}-imp"
    rules = [
        rule("users", "impersonate", resourceNames=["alice"]),
        rule("groups", "impersonate", resourceNames=["acme"]),
    ]
    made = cluster.call("POST", f"{CLUSTER_RBAC}/clusterroles", {"metadata": {"name": name}, "rules": rules})
    assert made.status == 201
    cluster.call("POST", f"{CLUSTER_RBAC}/clusterrolebindings", binding(name, name, "ClusterRole", subject))
    try:
        end = time.monotonic() + 10
        while ask(bot, "POST", WHO_AM_I, ("Impersonate-User", "alice")).status != 201:
            assert time.monotonic() < end
            time.sleep(0.1)
        both = ask(bot, "POST", WHO_AM_I, ("Impersonate-User", "alice"), ("Impersonate-Group", "acme"))
        assert info(both)["groups"] == ["acme", "system:authenticated"]
        assert ask(bot, "POST", WHO_AM_I, ("Impersonate-User", "bob")).status == 403
        more = ask(bot, "POST", WHO_AM_I, ("Impersonate-User", "alice"), ("Impersonate-Group", "system:masters"))
        assert more.status == 403
        extra = ask(bot, "POST", WHO_AM_I, ("Impersonate-User", "alice"), ("Impersonate-Extra-Scopes", "x"))
        assert extra.status == 403
        assert "userextras" in extra.body["message"]
    finally:
        cluster.call("DELETE", f"{CLUSTER_RBAC}/clusterrolebindings/{name}")
        cluster.call("DELETE", f"{CLUSTER_RBAC}/clusterroles/{name}")


def test_a_service_account_is_spoken_for_by_right_on_the_account(cluster: Cluster, space: str) -> None:
    bot, subject = account(cluster, space, "imp")
    role(cluster, space, "as-bot", rule("serviceaccounts", "impersonate", resourceNames=["bot"]))
    bind(cluster, space, "as-bot", subject)
    name = f"system:serviceaccount:{space}:bot"
    end = time.monotonic() + 10
    while (found := ask(bot, "POST", WHO_AM_I, ("Impersonate-User", name))).status != 201:
        assert time.monotonic() < end
        time.sleep(0.1)
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"]
    assert info(found) == {"username": name, "groups": groups}
    assert ask(bot, "POST", WHO_AM_I, ("Impersonate-User", f"system:serviceaccount:{space}:other")).status == 403


def test_the_impersonated_is_judged_and_named(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    refused = cluster.as_user("carol").call("GET", path)
    why = f'User "carol" cannot list resource "configmaps" in API group "" in the namespace "{space}"'
    assert refused.body["message"] == f"configmaps is forbidden: {why}"
    role(cluster, space, "reader", rule("configmaps", "list"))
    group = {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": "org:acme"}
    bind(cluster, space, "reader", group)
    assert cluster.as_user("carol", "org:acme").call("GET", path).status == 200
    assert cluster.as_user("carol", "org:other").call("GET", path).status == 403


def test_groups_uid_and_extra_arrive(cluster: Cluster) -> None:
    found = info(
        ask(
            cluster,
            "POST",
            WHO_AM_I,
            ("Impersonate-User", "carol"),
            ("Impersonate-Group", "org:acme"),
            ("Impersonate-Group", "org:other"),
            ("Impersonate-Uid", "u-1"),
            ("Impersonate-Extra-Scopes", "x"),
            ("Impersonate-Extra-Scopes", "y"),
        )
    )
    groups = ["org:acme", "org:other", "system:authenticated"]
    assert found == {"username": "carol", "uid": "u-1", "groups": groups, "extra": {"scopes": ["x", "y"]}}


def test_a_group_without_a_user_is_a_mistake(cluster: Cluster) -> None:
    refused = ask(cluster, "GET", "/api/v1/namespaces", ("Impersonate-Group", "org:acme"))
    who = '&user.DefaultInfo{Name:"", UID:"", Groups:[]string{"org:acme"}, Extra:map[string][]string(nil)}'
    assert refused.status == 400
    assert refused.body["message"] == f"requested {who} without impersonating a user name"


def test_a_user_of_the_name_only_stays_one(cluster: Cluster, space: str) -> None:
    bind(cluster, space, "view", user("dora"), kind="ClusterRole")
    dora = cluster.as_user("dora")
    assert dora.call("GET", f"/api/v1/namespaces/{space}/configmaps").status == 200
    assert dora.call("GET", f"/api/v1/namespaces/{space}/secrets").status == 403
