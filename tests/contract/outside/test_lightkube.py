"""lightkube creates, applies, lists, patches, watches and deletes."""

import pytest

from tests.contract.things import GROUP, widget

lightkube = pytest.importorskip("lightkube")
from lightkube import ApiError, Client, KubeConfig  # noqa: E402 - after the check that it is there
from lightkube.generic_resource import create_namespaced_resource  # noqa: E402
from lightkube.models.meta_v1 import ObjectMeta  # noqa: E402
from lightkube.resources.core_v1 import ConfigMap  # noqa: E402
from lightkube.types import PatchType  # noqa: E402


@pytest.fixture
def kube(kubeconfig: str, space: str) -> Client:
    return Client(config=KubeConfig.from_file(kubeconfig), namespace=space, field_manager="lightkube-test")


def test_typed(kube: Client) -> None:
    made = kube.create(ConfigMap(metadata=ObjectMeta(name="a"), data={"k": "v"}))
    assert made.metadata.uid
    with pytest.raises(ApiError) as twice:
        kube.create(ConfigMap(metadata=ObjectMeta(name="a")))
    assert (twice.value.status.code, twice.value.status.reason) == (409, "AlreadyExists")
    made.data = {"k": "w"}
    assert kube.replace(made).data == {"k": "w"}
    assert kube.patch(ConfigMap, "a", {"data": {"x": "y"}}).data == {"k": "w", "x": "y"}
    patched = kube.patch(ConfigMap, "a", {"data": {"x": None}}, patch_type=PatchType.MERGE)
    assert patched.data == {"k": "w"}
    assert "a" in [item.metadata.name for item in kube.list(ConfigMap)]
    for event, item in kube.watch(ConfigMap, fields={"metadata.name": "a"}):
        assert (event, item.metadata.name) == ("ADDED", "a")
        break
    kube.delete(ConfigMap, "a")
    with pytest.raises(ApiError) as gone:
        kube.get(ConfigMap, "a")
    assert gone.value.status.code == 404


@pytest.mark.usefixtures("kinds")
def test_generic(kube: Client) -> None:
    kind = create_namespaced_resource(GROUP, "v1", "Widget", "widgets")
    applied = kube.apply(kind.from_dict(widget("a", size=4)))
    assert applied["spec"]["tier"] == "silver"
    with pytest.raises(ApiError) as clash:
        kube.apply(kind.from_dict(widget("a", size=5)), field_manager="other")
    assert clash.value.status.details.causes[0].reason == "FieldManagerConflict"
    assert [item.metadata.name for item in kube.list(kind, chunk_size=1)] == ["a"]
    kube.deletecollection(kind)
    assert list(kube.list(kind)) == []
