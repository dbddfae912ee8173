"""Promise: a bound ValidatingAdmissionPolicy has its way, in the words of its rules (k8s-transcript 10)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.contract.conftest import APPLY, MERGE, Cluster
from tests.contract.hooks import KINDS, create, settled

RULE = {
    "apiGroups": [""],
    "apiVersions": ["*"],
    "operations": ["CREATE", "UPDATE"],
    "resources": ["configmaps"],
}
UNDER_5 = {"expression": "!has(object.data) || int(object.data.size) < 5", "message": "size must be under 5"}


@contextmanager
def policy(
    cluster: Cluster, space: str, *validations: dict[str, Any], bound: dict[str, Any] | None = None, **spec: Any
) -> Iterator[str]:
    """A policy for the ConfigMaps of a namespace, and its binding of the same name."""
    body = {"matchConstraints": {"resourceRules": [RULE]}, "validations": list(validations), **spec}
    made = cluster.call("POST", f"{KINDS}/validatingadmissionpolicies", {"metadata": {"name": space}, "spec": body})
    assert made.status == 201, made.text
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}}}
    binding = {"policyName": space, "validationActions": ["Deny"], "matchResources": selector, **(bound or {})}
    path = f"{KINDS}/validatingadmissionpolicybindings"
    made = cluster.call("POST", path, {"metadata": {"name": space}, "spec": binding})
    assert made.status == 201, made.text
    try:
        yield f"ValidatingAdmissionPolicy '{space}' with binding '{space}'"
    finally:
        cluster.call("DELETE", f"{path}/{space}")
        cluster.call("DELETE", f"{KINDS}/validatingadmissionpolicies/{space}")


def test_a_broken_rule_denies_every_way_to_write(cluster: Cluster, space: str) -> None:
    path = f"/api/v1/namespaces/{space}/configmaps"
    with policy(cluster, space, UNDER_5) as who:
        settled(cluster, space, 422, data={"size": "9"})
        refused = create(cluster, space, "vap", data={"size": "9"})
        applied = cluster.call(
            "PATCH",
            f"{path}/vap?fieldManager=m1",
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "vap"}, "data": {"size": "9"}},
            media=APPLY,
        )
        assert create(cluster, space, "ok", data={"size": "1"}).status == 201
        patched = cluster.call("PATCH", f"{path}/ok", {"data": {"size": "7"}}, media=MERGE)
    text = f"{who} denied request: size must be under 5"
    assert refused.status == applied.status == patched.status == 422
    assert refused.body == applied.body
    assert refused.body["message"] == f'configmaps "vap" is forbidden: {text}'
    assert refused.body["reason"] == "Invalid"
    assert refused.body["details"] == {"name": "vap", "kind": "configmaps", "causes": [{"message": text}]}


def test_a_warning_lets_it_through(cluster: Cluster, space: str) -> None:
    with policy(cluster, space, UNDER_5, bound={"validationActions": ["Warn"]}) as who:
        for n in range(300):
            made = create(cluster, space, f"w{n}", data={"size": "9"})
            assert made.status == 201
            if "warning" in made.headers:
                break
    assert made.headers["warning"] == f'299 - "Validation failed for {who}: size must be under 5"'


def test_the_message_may_be_worked_out_and_the_reason_chosen(cluster: Cluster, space: str) -> None:
    first = {
        **UNDER_5,
        "messageExpression": "'size ' + object.data.size + ' of ' + request.name",
        "reason": "Forbidden",
    }
    second = {"expression": "has(object.metadata.labels)"}
    with policy(cluster, space, first, second) as who:
        settled(cluster, space, 403, data={"size": "9"})
        refused = create(cluster, space, "vap", data={"size": "9"})
        plain = create(cluster, space, "vap", data={"size": "1"})
        assert create(cluster, space, "ok", data={"size": "1"}, metadata={"labels": {"a": "b"}}).status == 201
    assert (refused.status, refused.body["reason"]) == (403, "Forbidden")
    assert refused.body["message"] == f'configmaps "vap" is forbidden: {who} denied request: size 9 of vap'
    assert plain.status == 422
    assert plain.body["message"].endswith(f"{who} denied request: failed expression: has(object.metadata.labels)")


def test_rules_see_the_old_object_and_who_asks(cluster: Cluster, space: str) -> None:
    grows = {
        "expression": "request.operation == 'CREATE' || int(object.data.size) >= int(oldObject.data.size)",
        "message": "sizes only grow",
    }
    masters = {"expression": "'system:masters' in request.userInfo.groups || true"}
    path = f"/api/v1/namespaces/{space}/configmaps/a"
    assert create(cluster, space, "a", data={"size": "3"}).status == 201
    with policy(cluster, space, grows, masters, {"expression": "!has(object.data.stop)", "message": "stop"}):
        settled(cluster, space, 422, data={"stop": "1"})
        assert cluster.call("PATCH", path, {"data": {"size": "4"}}, media=MERGE).status == 200
        shrunk = cluster.call("PATCH", path, {"data": {"size": "1"}}, media=MERGE)
    assert shrunk.body["message"].endswith("sizes only grow")


def test_variables_conditions_and_the_namespace(cluster: Cluster, space: str) -> None:
    rule = {"expression": "variables.size < variables.limit", "messageExpression": "'over ' + string(variables.limit)"}
    with policy(
        cluster,
        space,
        rule,
        variables=[
            {"name": "size", "expression": "int(object.data.size)"},
            {"name": "limit", "expression": "namespaceObject.metadata.name == 'default' ? 1 : variables.size - 1"},
        ],
        matchConditions=[{"name": "sized", "expression": "has(object.data) && has(object.data.size)"}],
    ):
        settled(cluster, space, 422, data={"size": "9"})
        refused = create(cluster, space, "a", data={"size": "9"})
        assert create(cluster, space, "b", data={"other": "9"}).status == 201
    assert refused.body["message"].endswith("denied request: over 8")


def test_parameters_come_from_an_object(cluster: Cluster, space: str) -> None:
    rule = {"expression": "int(object.data.size) < int(params.data.limit)", "message": "over the limit"}
    bound = {"paramRef": {"name": "limits", "parameterNotFoundAction": "Deny"}}
    kind = {"apiVersion": "v1", "kind": "ConfigMap"}
    assert create(cluster, space, "limits", data={"limit": "5"}).status == 201
    with policy(cluster, space, rule, bound=bound, paramKind=kind):
        settled(cluster, space, 422, data={"size": "9"})
        assert create(cluster, space, "ok", data={"size": "4"}).status == 201


def test_a_rule_that_fails_denies_unless_it_is_told_not_to(cluster: Cluster, space: str) -> None:
    rule = {"expression": "object.data.nothing == 'x'", "message": "never shown"}
    with policy(cluster, space, rule) as who:
        settled(cluster, space, 422, data={"a": "b"})
        refused = create(cluster, space, "a", data={"a": "b"})
    assert refused.body["message"].startswith(f'configmaps "a" is forbidden: {who} denied request: expression ')
    assert "resulted in error: no such key: nothing" in refused.body["message"]
    with policy(cluster, space, rule, {"expression": "!has(object.data.stop)"}, failurePolicy="Ignore"):
        settled(cluster, space, 422, data={"nothing": "y", "stop": "1"})
        assert create(cluster, space, "a", data={"a": "b"}).status == 201


def test_deletes_can_be_refused(cluster: Cluster, space: str) -> None:
    rule = {"expression": "oldObject.metadata.name != 'kept'", "message": "this one stays"}
    match = {"resourceRules": [{**RULE, "operations": ["DELETE"]}]}
    path = f"/api/v1/namespaces/{space}/configmaps"
    assert create(cluster, space, "kept").status == 201
    with policy(cluster, space, rule, matchConstraints=match):
        for _ in range(300):
            refused = cluster.call("DELETE", f"{path}/kept?dryRun=All")
            if refused.status != 200:
                break
        assert cluster.call("DELETE", f"{path}/kept").status == 422
        assert cluster.call("DELETE", path).status == 422
        assert cluster.call("GET", f"{path}/kept").status == 200
    assert refused.body["message"].endswith("denied request: this one stays")


def test_an_expression_that_is_none_is_refused_where_it_stands(cluster: Cluster, space: str) -> None:
    spec = {
        "matchConstraints": {"resourceRules": [RULE]},
        "validations": [{"expression": "object.spec.size <", "message": "m"}],
    }
    body = {"metadata": {"name": space}, "spec": spec}
    refused = cluster.call("POST", f"{KINDS}/validatingadmissionpolicies", body)
    assert refused.status == 422
    (cause,) = refused.body["details"]["causes"]
    assert cause["field"] == "spec.validations[0].expression"
    assert cause["message"] == (
        'Invalid value: "object.spec.size <": compilation failed: ERROR: <input>:1:19: Syntax error: mismatched input '
        "'<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, "
        "STRING, BYTES, IDENTIFIER}\n | object.spec.size <\n | ..................^"
    )


@pytest.mark.parametrize("expression", ["objekt.metadata.name == 'a'", "object.metadata.name.frobnicate()"])
def test_a_name_that_there_is_not_is_refused(cluster: Cluster, space: str, expression: str) -> None:
    spec = {"matchConstraints": {"resourceRules": [RULE]}, "validations": [{"expression": expression}]}
    body = {"metadata": {"name": space}, "spec": spec}
    refused = cluster.call("POST", f"{KINDS}/validatingadmissionpolicies", body)
    assert refused.status == 422
    assert "compilation failed: ERROR: <input>:1:" in refused.body["message"]
    assert "undeclared reference to" in refused.body["message"]


def test_what_is_left_out_is_filled_in(cluster: Cluster, space: str) -> None:
    with policy(cluster, space, UNDER_5):
        made = cluster.call("GET", f"{KINDS}/validatingadmissionpolicies/{space}").body["spec"]
        bound = cluster.call("GET", f"{KINDS}/validatingadmissionpolicybindings/{space}").body["spec"]
    defaults = {"matchPolicy": "Equivalent", "objectSelector": {}}
    rules = [{**RULE, "scope": "*"}]
    assert made["failurePolicy"] == "Fail"
    assert made["matchConstraints"] == {**defaults, "namespaceSelector": {}, "resourceRules": rules}
    assert bound["matchResources"] == {
        **defaults,
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space}},
    }


def test_deny_and_warn_together_are_refused(cluster: Cluster, space: str) -> None:
    spec = {"policyName": space, "validationActions": ["Deny", "Warn"]}
    path = f"{KINDS}/validatingadmissionpolicybindings"
    refused = cluster.call("POST", path, {"metadata": {"name": space}, "spec": spec})
    assert (refused.status, refused.body["details"]["causes"][0]["field"]) == (422, "spec.validationActions")
