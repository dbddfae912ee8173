"""Promise: what another made can be shared by applying the same, and whoever changes a field takes it from all others.

What adoption stands on (docs/adr/0017-adoption.md): marks alone leave the generation, and a field that our entry still
owns has not been changed by anybody.
"""

from typing import Any

import pytest

from tests.contract.conftest import Cluster
from tests.contract.things import applied, made, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")


def spec_fields(body: Any, manager: str) -> set[str]:
    entries = [entry for entry in body["metadata"]["managedFields"] if entry["manager"] == manager]
    return {name for entry in entries for name in entry["fieldsV1"].get("f:spec", {})}


def shared(cluster: Cluster, space: str) -> Any:
    """A hand's widget, with the same spec and a label applied to it by m1."""
    first = made(cluster, f"{widgets(space)}?fieldManager=hand", widget("a", size=2, args=["x", "y"]))
    pinned = {"labels": {"m1": "has-it"}, "uid": first["metadata"]["uid"]}
    again = applied(cluster, widgets(space, "a"), widget("a", pinned, size=2, args=["x", "y"]))
    assert again.status == 200, again.text
    assert again.body["spec"] == first["spec"]
    assert again.body["metadata"]["generation"] == first["metadata"]["generation"]
    return again.body


def test_the_same_spec_with_a_label_is_shared_and_no_new_generation(cluster: Cluster, space: str) -> None:
    body = shared(cluster, space)
    assert spec_fields(body, "hand") >= {"f:size", "f:args"}
    assert spec_fields(body, "m1") == {"f:size", "f:args"}


def test_who_changes_a_shared_field_takes_it_from_the_other(cluster: Cluster, space: str) -> None:
    body = shared(cluster, space)
    body["spec"]["size"] = 3
    changed = cluster.call("PUT", f"{widgets(space, 'a')}?fieldManager=hand", body)
    assert changed.status == 200, changed.text
    assert spec_fields(changed.body, "m1") == {"f:args"}


def test_a_new_value_of_a_shared_field_conflicts_and_may_be_forced_on_the_version_read(
    cluster: Cluster, space: str
) -> None:
    body = shared(cluster, space)
    pinned = {"labels": {"m1": "has-it"}, "resourceVersion": body["metadata"]["resourceVersion"]}
    wanted = widget("a", pinned, size=5, args=["x", "y"])
    refused = applied(cluster, widgets(space, "a"), wanted)
    assert refused.status == 409
    assert [cause["field"] for cause in refused.body["details"]["causes"]] == [".spec.size"]
    forced = applied(cluster, widgets(space, "a"), wanted, force="true")
    assert forced.body["spec"]["size"] == 5
    assert spec_fields(forced.body, "hand") & {"f:size", "f:args"} == {"f:args"}
    assert applied(cluster, widgets(space, "a"), wanted, force="true").status == 409, "the version read is no longer"
