"""Orphans: what carries our label and has no row is found, written down, and goes only by an order for that very object."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from clusters import orphans, status, strangers
from clusters.connections import client_of
from clusters.models import Cluster, InventoryItem, Orphan
from clusters.refs import KINDS, Ref
from core.actor import Actor, system_actor
from core.errors import Conflict, Forbidden, Invalid
from core.models import AuditEntry
from tests.engine.notes.models import Notebook

ROOT = system_actor("test")
MAPS = KINDS["", "ConfigMap"]


def namespace_of(row: Notebook) -> str:
    return InventoryItem.objects.filter(owner_id=row.pk, kind="Namespace").values_list("name", flat=True).get()


def leave(cluster: Cluster, namespace: str, name: str = "left", **metadata) -> str:
    """An object with our label, put there by another hand; its uid."""
    labels = {"ovim.io/installation": str(status.installation())}
    body = {"metadata": {"name": name, "namespace": namespace, "labels": labels} | metadata}
    return str(client_of(cluster.pk).raw("POST", MAPS.path(namespace), body)["metadata"]["uid"])


def taken(cluster: Cluster, book: Notebook, namespace: str, name: str, uid: str) -> None:
    """As if a row had it."""
    owner = InventoryItem.objects.get(owner_id=book.pk, kind="Namespace").owner_kind
    InventoryItem.objects.create(
        owner_kind=owner, owner_id=book.pk, data_of_kind=owner, data_of_id=book.pk,
        cluster=cluster, kind="ConfigMap", namespace=namespace, name=name, uid=uid,
    )  # fmt: skip


def search(cluster: Cluster, namespace: str) -> list[str]:
    """Search it; what is found in this namespace. Other tests leave theirs on the same cluster."""
    orphans.look(cluster)
    return list(of(namespace).order_by("name").values_list("name", flat=True))


def of(namespace: str):
    return Orphan.objects.filter(namespace=namespace)


def kept(cluster: Cluster, namespace: str, name: str = "left") -> bool:
    return client_of(cluster.pk).get(Ref("", "ConfigMap", namespace, name)) is not None


def test_what_has_a_row_is_no_orphan_and_what_has_none_is(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    assert search(cluster, namespace) == []
    assert not Orphan.objects.filter(name=namespace).exists()
    uid = leave(cluster, namespace)
    assert search(cluster, namespace) == ["left"]
    found = of(namespace).get()
    assert (found.kind, found.name, str(found.uid), found.applied_by_us) == ("ConfigMap", "left", uid, False)
    first = found.first_seen_at
    assert search(cluster, namespace) == ["left"]
    found.refresh_from_db()
    assert found.first_seen_at == first
    assert found.last_seen_at > first
    cluster.refresh_from_db()
    assert cluster.audited_at


def test_what_lost_its_row_is_found_and_known_as_ours(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    InventoryItem.objects.filter(owner_id=book.pk).delete()
    assert orphans.look(cluster) > 0
    assert Orphan.objects.filter(kind="Namespace", name=namespace, applied_by_us=True).exists()


def test_what_grew_out_of_ours_and_what_is_another_installations_is_none(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    parent = leave(cluster, namespace, "parent")
    taken(cluster, book, namespace, "parent", parent)
    above = {"apiVersion": "v1", "kind": "ConfigMap", "name": "parent", "uid": parent, "controller": True}
    leave(cluster, namespace, "child", ownerReferences=[above])
    leave(cluster, namespace, "foreign", labels={"ovim.io/installation": str(uuid.uuid4())})
    assert search(cluster, namespace) == []
    leave(cluster, namespace, "step-child", ownerReferences=[above | {"controller": False}])
    assert search(cluster, namespace) == ["step-child"], "only a controller proves descent"


def test_it_goes_by_order_by_its_uid_and_the_order_is_audited(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    leave(cluster, namespace)
    orphans.look(cluster)
    orphan = of(namespace).get()
    assert orphans.delete_ordered() == 0
    assert kept(cluster, namespace), "nobody has ordered it"
    orphans.delete_orphan(actor=ROOT, orphan=orphan)
    assert kept(cluster, namespace), "a request changes rows only"
    assert orphans.delete_ordered() == 1
    assert not kept(cluster, namespace)
    assert not of(namespace).exists()
    assert AuditEntry.objects.filter(action="orphan.delete", after__uid=str(orphan.uid)).exists()


def test_another_object_of_its_name_stays(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    leave(cluster, namespace)
    orphans.look(cluster)
    orphans.delete_orphan(actor=ROOT, orphan=of(namespace).get())
    client_of(cluster.pk).raw("DELETE", MAPS.path(namespace, "left"))
    leave(cluster, namespace)
    orphans.delete_ordered()
    assert kept(cluster, namespace)
    assert not of(namespace).exists(), "what was ordered to go is gone"


def test_one_that_has_a_row_by_now_stays(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    uid = leave(cluster, namespace)
    orphans.look(cluster)
    orphan = of(namespace).get()
    orphans.delete_orphan(actor=ROOT, orphan=orphan)
    taken(cluster, book, namespace, "left", uid)
    orphans.delete_ordered()
    assert kept(cluster, namespace)
    orphan.refresh_from_db()
    assert "has a row by now" in orphan.last_error
    with pytest.raises(Conflict, match="has a row by now"):
        orphans.delete_orphan(actor=ROOT, orphan=orphan)
    orphans.look(cluster)
    assert not of(namespace).exists()


def test_one_that_lost_its_label_stays(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    leave(cluster, namespace)
    orphans.look(cluster)
    orphans.delete_orphan(actor=ROOT, orphan=of(namespace).get())
    client = client_of(cluster.pk)
    live = client.raw("GET", MAPS.path(namespace, "left"))
    live["metadata"]["labels"] = {}
    client.raw("PUT", MAPS.path(namespace, "left"), live)
    orphans.delete_ordered()
    assert kept(cluster, namespace)
    assert "no longer carries" in of(namespace).get().last_error


def test_what_may_hold_data_wants_its_name_and_a_namespace_must_be_empty(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    leave(cluster, namespace)
    InventoryItem.objects.filter(owner_id=book.pk).delete()
    orphans.look(cluster)
    orphan = Orphan.objects.get(kind="Namespace", name=namespace)
    with pytest.raises(Invalid, match="Type its name"):
        orphans.delete_orphan(actor=ROOT, orphan=orphan)
    orphans.delete_orphan(actor=ROOT, orphan=orphan, confirm=namespace)
    orphans.delete_ordered()
    orphan.refresh_from_db()
    assert "have to go first" in orphan.last_error
    inside = strangers.inside(client_of(cluster.pk), namespace)
    assert strangers.strange(inside, cluster.pk, namespace)
    orphans.delete_orphan(actor=ROOT, orphan=of(namespace).get(name="left"))
    orphans.delete_ordered()
    orphans.delete_orphan(actor=ROOT, orphan=orphan, confirm=namespace)
    orphans.delete_ordered()
    live = client_of(cluster.pk).get(Ref("", "Namespace", "", namespace))
    assert live is None or "deletionTimestamp" in live["metadata"]


def test_only_who_operates_the_engine_may_order_it(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    leave(cluster, namespace)
    orphans.look(cluster)
    with pytest.raises(Forbidden):
        orphans.delete_orphan(actor=Actor(user_id=None, name="nobody"), orphan=of(namespace).get())


def test_what_can_not_be_read_is_said_and_what_is_known_of_it_stays(cluster: Cluster, book: Notebook, sandbox):
    leave(cluster, namespace_of(book))
    orphans.look(cluster)
    Cluster.objects.update(lacking=["list configmaps"])
    cluster.refresh_from_db()
    sandbox.fault("status", code=403, path="/api/v1/configmaps")
    orphans.look(cluster)
    cluster.refresh_from_db()
    assert "ConfigMap" in cluster.audit_note
    assert Orphan.objects.filter(kind="ConfigMap").exists()


def test_a_cluster_is_searched_every_hour_and_on_order(cluster: Cluster, book: Notebook):
    namespace = namespace_of(book)
    leave(cluster, namespace)
    orphans.look_where_due()
    assert of(namespace).exists()
    leave(cluster, namespace, "later")
    orphans.look_where_due()
    assert not of(namespace).filter(name="later").exists(), "an hour has not passed"
    orphans.request_look(actor=ROOT, cluster=cluster)
    orphans.look_where_due()
    assert of(namespace).filter(name="later").exists()
    leave(cluster, namespace, "latest")
    Cluster.objects.filter(pk=cluster.pk).update(audited_at=timezone.now() - timedelta(hours=1, seconds=1))
    orphans.look_where_due()
    assert of(namespace).filter(name="latest").exists()
