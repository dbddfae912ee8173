"""Promise: the rules in a custom resource's schema are judged, also those about a change."""

from typing import Any

import pytest

from tests.contract.conftest import APPLY, MERGE, Answer, Cluster
from tests.contract.widgets import definition, widgets

__all__ = ["widgets"]


@pytest.fixture
def path(space: str, widgets: str) -> str:
    return f"{widgets}/namespaces/{space}/widgets"


def make(cluster: Cluster, path: str, name: str, **spec: Any) -> Answer:
    body = {"apiVersion": "contract.ovim.io/v1", "kind": "Widget", "metadata": {"name": name}, "spec": spec}
    return cluster.call("POST", path, body)


def cause(answer: Answer) -> tuple[str, str, str]:
    assert answer.status == 422, answer.text
    (found,) = answer.body["details"]["causes"]
    return found["field"], found["message"], found["reason"]


def test_a_rule_of_an_object_speaks_of_the_field_it_names(cluster: Cluster, path: str) -> None:
    refused = make(cluster, path, "bad", size=9, max=5)
    assert cause(refused) == ("spec.size", "Invalid value: size must not exceed max", "FieldValueInvalid")
    text = 'Widget.contract.ovim.io "bad" is invalid: spec.size: Invalid value: size must not exceed max'
    assert refused.body["message"] == text
    assert make(cluster, path, "good", size=5, max=5).status == 201


def test_a_rule_about_a_change_is_judged_when_there_is_one(cluster: Cluster, path: str) -> None:
    assert make(cluster, path, "w", size=1, color="red").status == 201
    refused = cluster.call("PATCH", f"{path}/w", {"spec": {"color": "blue"}}, media=MERGE)
    assert cause(refused) == ("spec.color", 'Invalid value: "blue": color is immutable', "FieldValueInvalid")
    body = {"apiVersion": "contract.ovim.io/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"color": "blue"}}
    applied = cluster.call("PATCH", f"{path}/w?fieldManager=m&force=true", body, media=APPLY)
    assert cause(applied)[0] == "spec.color"
    assert cluster.call("PATCH", f"{path}/w", {"spec": {"color": "red", "size": 2}}, media=MERGE).status == 200


def test_items_of_a_map_list_know_what_they_were(cluster: Cluster, path: str) -> None:
    ports = [{"name": "a", "port": 5}, {"name": "b", "port": 1}]
    assert make(cluster, path, "w", size=1, ports=ports).status == 201
    swapped = [{"name": "b", "port": 1}, {"name": "a", "port": 4}]
    refused = cluster.call("PATCH", f"{path}/w", {"spec": {"ports": swapped}}, media=MERGE)
    assert cause(refused) == ("spec.ports[1]", "Forbidden: ports only grow", "FieldValueForbidden")
    grown = [{"name": "b", "port": 2}, {"name": "new", "port": 1}]
    assert cluster.call("PATCH", f"{path}/w", {"spec": {"ports": grown}}, media=MERGE).status == 200


def test_a_message_may_be_worked_out_and_is_the_rule_where_there_is_none(cluster: Cluster, path: str) -> None:
    many = make(cluster, path, "w", size=1, tags=["t-a", "t-b", "t-c"])
    assert cause(many) == ("spec", "Invalid value: too many tags", "FieldValueInvalid")
    plain = make(cluster, path, "w", size=1, tags=["t-a", "b"])
    text = "Invalid value: \"b\": failed rule: self.startsWith('t-')"
    assert cause(plain) == ("spec.tags[1]", text, "FieldValueInvalid")


def test_rules_of_the_root_see_the_name(cluster: Cluster, path: str) -> None:
    assert cause(make(cluster, path, "forbidden", size=1))[1] == "Invalid value: this name is taken"


def test_names_that_cel_keeps_for_itself_are_spelled_otherwise(cluster: Cluster, path: str) -> None:
    assert cause(make(cluster, path, "w", size=1, namespace="x"))[1] == "Invalid value: no x"
    assert make(cluster, path, "w", size=1, namespace="y").status == 201


def test_rules_wait_for_a_valid_object(cluster: Cluster, path: str) -> None:
    refused = make(cluster, path, "w", max=5)
    messages = [found["message"] for found in refused.body["details"]["causes"]]
    assert messages[0] == "Required value"
    assert "some validation rules were not checked" in messages[1]


def test_a_dry_run_is_judged_too(cluster: Cluster, path: str) -> None:
    assert make(cluster, f"{path}?dryRun=All", "w", size=9, max=5).status == 422


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("self.size <", "Syntax error"),
        ("self.size < limit", "undeclared reference to 'limit'"),
        ("self.nope < 1", "undefined field 'nope'"),
        ("self.size.frobnicate()", "undeclared reference to 'frobnicate'"),
    ],
)
def test_a_definition_with_a_rule_that_can_not_be_judged_is_refused(cluster: Cluster, rule: str, text: str) -> None:
    size = {"type": "object", "properties": {"size": {"type": "integer"}}, "x-kubernetes-validations": [{"rule": rule}]}
    schema = {"type": "object", "properties": {"spec": size}}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    refused = cluster.call("POST", path, definition(schema, "gadgets", "Gadget"))
    assert refused.status == 422
    where = "spec.validation.openAPIV3Schema", "spec.versions[0].schema.openAPIV3Schema"
    field = refused.body["details"]["causes"][0]["field"]
    assert field in {f"{start}.properties[spec].x-kubernetes-validations[0].rule" for start in where}
    assert text in refused.body["message"]
