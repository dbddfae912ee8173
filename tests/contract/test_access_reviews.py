"""Promise: the server says who somebody is and what he may do, from what is stored at that moment."""

import base64
import time
from typing import Any

import pytest

from tests.contract.accounts import account, bind, role, rule, token, user, with_token
from tests.contract.conftest import Cluster
from tests.contract.things import refusal

AUTHORIZATION, AUTHENTICATION = "/apis/authorization.k8s.io/v1", "/apis/authentication.k8s.io/v1"
READER = rule("configmaps", "get,list")


@pytest.fixture
def alice(cluster: Cluster, space: str) -> Cluster:
    role(cluster, space, "reader", READER)
    bind(cluster, space, "reader", user("alice"))
    return cluster.as_user("alice", "tenants")


def attributes(space: str, verb: str = "get", resource: str = "configmaps") -> dict[str, object]:
    return {"resourceAttributes": {"namespace": space, "verb": verb, "resource": resource}}


def test_one_may_ask_for_oneself(cluster: Cluster, space: str, alice: Cluster) -> None:
    path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    asked = alice.call("POST", path, {"spec": attributes(space)})
    reason = f'RBAC: allowed by RoleBinding "reader/{space}" of Role "reader" to User "alice"'
    assert asked.status == 201
    assert asked.body["status"] == {"allowed": True, "reason": reason}
    assert asked.body["spec"] == attributes(space)
    assert alice.call("POST", path, {"spec": attributes(space, "delete")}).body["status"] == {"allowed": False}
    url = {"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}}
    assert alice.call("POST", path, url).body["status"]["allowed"] is True
    assert cluster.call("POST", path, {"spec": attributes(space, "delete")}).body["status"]["allowed"] is True


def test_the_answer_follows_the_bindings(cluster: Cluster, space: str, alice: Cluster) -> None:
    path = f"{AUTHORIZATION}/selfsubjectaccessreviews"
    assert alice.call("POST", path, {"spec": attributes(space)}).body["status"]["allowed"] is True
    gone = cluster.call("DELETE", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/rolebindings/reader")
    assert gone.status == 200
    end = time.monotonic() + 10
    while alice.call("POST", path, {"spec": attributes(space)}).body["status"]["allowed"]:
        assert time.monotonic() < end
        time.sleep(0.1)


def test_an_administrator_may_ask_for_others(cluster: Cluster, space: str, alice: Cluster) -> None:
    path = f"{AUTHORIZATION}/subjectaccessreviews"
    asked = cluster.call("POST", path, {"spec": {"user": "alice", "groups": ["tenants"], **attributes(space)}})
    assert asked.body["status"]["allowed"] is True
    other = cluster.call("POST", path, {"spec": {"user": "bob", **attributes(space)}})
    assert other.body["status"]["allowed"] is False
    refused = alice.call("POST", path, {"spec": {"user": "bob", **attributes(space)}})
    why = 'User "alice" cannot create resource "subjectaccessreviews" in API group "authorization.k8s.io"'
    start = "subjectaccessreviews.authorization.k8s.io is forbidden"
    assert (refused.status, refused.body["message"]) == (403, f"{start}: {why} at the cluster scope")


def test_a_local_question_stays_in_its_namespace(cluster: Cluster, space: str, alice: Cluster) -> None:
    assert alice
    path = f"{AUTHORIZATION}/namespaces/{space}/localsubjectaccessreviews"
    asked = cluster.call(
        "POST", path, {"metadata": {"namespace": space}, "spec": {"user": "alice", **attributes(space)}}
    )
    assert (asked.status, asked.body["status"]["allowed"]) == (201, True)
    elsewhere = {"metadata": {"namespace": space}, "spec": {"user": "alice", **attributes("default")}}
    assert cluster.call("POST", path, elsewhere).status in {400, 422}


def test_a_question_without_a_subject_or_an_object_is_refused(cluster: Cluster, space: str) -> None:
    path = f"{AUTHORIZATION}/subjectaccessreviews"
    assert cluster.call("POST", path, {"spec": attributes(space)}).status == 422
    assert cluster.call("POST", path, {"spec": {"user": "bob"}}).status == 422


def test_one_may_list_ones_rules(cluster: Cluster, space: str, alice: Cluster) -> None:
    asked = alice.call("POST", f"{AUTHORIZATION}/selfsubjectrulesreviews", {"spec": {"namespace": space}})
    status = asked.body["status"]
    assert asked.status == 201
    assert {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["configmaps"]} in status["resourceRules"]
    assert any("/version" in item["nonResourceURLs"] for item in status["nonResourceRules"])
    assert status["incomplete"] is False


def test_questions_are_not_stored(cluster: Cluster) -> None:
    assert cluster.call("GET", f"{AUTHORIZATION}/selfsubjectaccessreviews").status == 405


def test_a_token_of_an_account_is_who_it_says(cluster: Cluster, space: str) -> None:
    bot, _ = account(cluster, space, "bot")
    asked = bot.call("POST", f"{AUTHENTICATION}/selfsubjectreviews", {})
    uid = cluster.call("GET", f"/api/v1/namespaces/{space}/serviceaccounts/bot").body["metadata"]["uid"]
    found = asked.body["status"]["userInfo"]
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{space}", "system:authenticated"]
    assert (found["username"], found["uid"]) == (f"system:serviceaccount:{space}:bot", uid)
    assert found["groups"] == groups
    assert found["extra"]["authentication.kubernetes.io/credential-id"][0].startswith("JTI=")


def test_a_token_ends_with_its_account(cluster: Cluster, space: str) -> None:
    bot, _ = account(cluster, space, "bot")
    assert bot.call("GET", "/version").status == 200
    path = f"/api/v1/namespaces/{space}/serviceaccounts"
    assert cluster.call("DELETE", f"{path}/bot").status == 200
    cluster.call("POST", path, {"metadata": {"name": "bot"}})
    end = time.monotonic() + 20
    while bot.call("GET", "/api").status != 401:
        assert time.monotonic() < end, "the token of an account that is gone still works"
        time.sleep(0.2)


def test_a_token_ends_with_what_it_is_bound_to(cluster: Cluster, space: str) -> None:
    account(cluster, space, "bot")
    secrets = f"/api/v1/namespaces/{space}/secrets"
    uid = cluster.call("POST", secrets, {"metadata": {"name": "held"}}).body["metadata"]["uid"]
    ref = {"kind": "Secret", "apiVersion": "v1", "name": "held", "uid": uid}
    bound = with_token(cluster, token(cluster, space, "bot", boundObjectRef=ref))
    assert bound.call("GET", "/api").status == 200
    cluster.call("DELETE", f"{secrets}/held")
    end = time.monotonic() + 90  # a real server remembers a good token for a while
    while bound.call("GET", "/api").status != 401:
        assert time.monotonic() < end
        time.sleep(0.2)
    path = f"/api/v1/namespaces/{space}/serviceaccounts/bot/token"
    assert cluster.call("POST", path, {"spec": {"boundObjectRef": ref}}).status == 404


def test_a_token_for_others_is_none_for_the_server(cluster: Cluster, space: str) -> None:
    account(cluster, space, "bot")
    value = token(cluster, space, "bot", audiences=["vault"])
    assert with_token(cluster, value).call("GET", "/api").status == 401
    path = f"{AUTHENTICATION}/tokenreviews"
    asked = cluster.call("POST", path, {"spec": {"token": value, "audiences": ["vault"]}}).body["status"]
    assert (asked["authenticated"], asked["audiences"]) == (True, ["vault"])
    assert "authenticated" not in cluster.call("POST", path, {"spec": {"token": value}}).body["status"]


def test_a_token_can_be_reviewed(cluster: Cluster, space: str) -> None:
    account(cluster, space, "bot")
    path = f"{AUTHENTICATION}/tokenreviews"
    asked = cluster.call("POST", path, {"spec": {"token": token(cluster, space, "bot")}}).body["status"]
    assert asked["authenticated"] is True
    assert asked["user"]["username"] == f"system:serviceaccount:{space}:bot"
    forged = cluster.call("POST", path, {"spec": {"token": "no-such-token"}})
    assert forged.status == 201
    assert forged.body["status"].get("authenticated", False) is False
    assert forged.body["status"]["error"]


def test_nobody_and_a_wrong_token(cluster: Cluster) -> None:
    nobody, wrong = with_token(cluster, "x"), with_token(cluster, "no-such-token")
    nobody.headers = {}
    assert nobody.call("GET", "/version").status == 200
    refused = nobody.call("GET", "/api/v1/namespaces")
    assert refused.status in {401, 403}  # by whether anonymous requests are on
    answer = wrong.call("GET", "/api")
    assert (answer.status, answer.body["message"]) == (401, "Unauthorized")


def test_a_secret_can_carry_the_token_of_an_account(cluster: Cluster, space: str) -> None:
    account(cluster, space, "bot")
    secrets = f"/api/v1/namespaces/{space}/secrets"
    body = {
        "metadata": {"name": "legacy", "annotations": {"kubernetes.io/service-account.name": "bot"}},
        "type": "kubernetes.io/service-account-token",
    }
    assert cluster.call("POST", secrets, body).status == 201
    end = time.monotonic() + 10
    while "token" not in (data := cluster.call("GET", f"{secrets}/legacy").body.get("data") or {}):
        assert time.monotonic() < end, "the token was never filled in"
        time.sleep(0.1)
    bearer = with_token(cluster, base64.b64decode(data["token"]).decode())
    asked = bearer.call("POST", f"{AUTHENTICATION}/selfsubjectreviews", {})
    assert asked.body["status"]["userInfo"]["username"] == f"system:serviceaccount:{space}:bot"
    assert base64.b64decode(data["namespace"]).decode() == space


@pytest.mark.parametrize(
    ("kind", "spec", "said"),
    [
        ("selfsubjectaccessreviews", {}, "spec.resourceAttributes: Invalid value: null: exactly one of"),
        ("selfsubjectaccessreviews", {"resourceAttributes": {}, "nonResourceAttributes": {"path": "/a", "verb": "get"}},
         'spec.nonResourceAttributes: Invalid value: {"Path":"/a","Verb":"get"}: cannot be specified in combination'),
        ("subjectaccessreviews", {"resourceAttributes": {}}, 'spec.user: Invalid value: "": at least one of user or group'),
        ("subjectaccessreviews", {"user": "u", "resourceAttributes": {"labelSelector": {}}},
         "spec.resourceAttributes.labelSelector.requirements: Required value: when spec.resourceAttributes.labelSelector"),
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense(cluster: Cluster, kind: str, spec: Any, said: str) -> None:
    code, reason, message = refusal(cluster.call("POST", f"/apis/authorization.k8s.io/v1/{kind}", {"spec": spec}))
    assert (code, reason) == (422, "Invalid")
    assert message.startswith(f'.authorization.k8s.io "" is invalid: {said}')


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"metadata": {"name": "other"}}, (422, "must match the service account name if specified")),
        ({"metadata": {"namespace": "other"}}, (400, "does not match the namespace sent on the request")),
        ({"spec": {"expirationSeconds": "x"}}, (400, "cannot unmarshal string into Go struct field TokenRequestSpec.")),
        ({"spec": {"expirationSeconds": 2**33}}, (422, "may not specify a duration larger than 2^32 seconds")),
        ({"spec": {"boundObjectRef": {"kind": "ConfigMap", "apiVersion": "v1", "name": "c"}}},
         (400, "cannot bind token to object of type /v1, Kind=ConfigMap")),
        ({"spec": {"boundObjectRef": {"kind": "Secret", "apiVersion": "v1"}}}, (400, "Name parameter required.")),
    ],
)  # fmt: skip
def test_a_request_for_a_token_is_judged(cluster: Cluster, space: str, body: Any, said: tuple[int, str]) -> None:
    path = f"/api/v1/namespaces/{space}/serviceaccounts"
    assert cluster.call("POST", path, {"metadata": {"name": "sa"}}).status == 201
    code, _, message = refusal(cluster.call("POST", f"{path}/sa/token", {"spec": {}, **body}))
    assert (code, said[1] in message) == (said[0], True), message
    assert cluster.call("GET", f"{path}/sa/token").status == 405
