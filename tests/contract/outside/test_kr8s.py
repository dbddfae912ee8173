"""kr8s makes, waits for, watches and deletes objects."""

import pytest

kr8s = pytest.importorskip("kr8s")
objects = pytest.importorskip("kr8s.objects")


def test_a_config_map_and_a_service(kubeconfig: str, space: str) -> None:
    api = kr8s.api(kubeconfig=kubeconfig)
    assert api.version()["major"] == "1"
    first = objects.ConfigMap({"metadata": {"name": "a", "namespace": space}, "data": {"k": "v"}}, api=api)
    first.create()
    assert first.exists()
    first.patch({"data": {"k": "w"}})
    first.label({"color": "red"})
    assert objects.ConfigMap.get("a", namespace=space, api=api).data == {"k": "w"}
    found = list(api.get("configmaps", namespace=space, label_selector={"color": "red"}))
    assert [item.name for item in found] == ["a"]
    first.raw["data"] = {"k": "x"}
    first.annotate({"note": "yes"})
    first.delete()
    assert not first.exists()
    with pytest.raises(kr8s.NotFoundError):
        objects.ConfigMap.get("a", namespace=space, api=api)


@pytest.mark.usefixtures("kinds")
def test_a_kind_it_learns_of(kubeconfig: str, space: str) -> None:
    api = kr8s.api(kubeconfig=kubeconfig)
    kind = objects.new_class("Widget", version="contract.example.org/v1", namespaced=True, plural="widgets")
    one = kind({"metadata": {"name": "a", "namespace": space}, "spec": {"size": 2}}, api=api)
    one.create()
    for event, item in api.watch(kind, namespace=space):
        assert (event, item.name, item.spec["tier"]) == ("ADDED", "a", "silver")
        break
    one.patch({"status": {"phase": "Up"}}, subresource="status")
    one.refresh()
    assert one.status["phase"] == "Up"
    one.delete(propagation_policy="Foreground")
    one.wait("delete", timeout=10)
