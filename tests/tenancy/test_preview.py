"""Seeing what somebody else sees: for a while, to look only, on record; never with more than one has."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from core import audit
from core.errors import Previewing
from core.models import AuditEntry
from tenancy.models import RoleName, Session
from tenancy.selectors import actor_of_session, actors_of_sessions
from tenancy.services import bindings, previews
from tests.cast import Api, make_cluster, make_organization, make_person, make_user, session_of
from tests.domain import OVIM, a_vdc, a_vm
from tests.portal import browser, text
from tests.tenancy.test_resources import refusal


@pytest.fixture
def scene(cluster, acme):
    """alice looks after bob, who has one machine of two."""
    make_person("alice")
    dev = a_vdc("dev", organization=acme)
    a_vm(dev, "others")
    bob = make_person("bob")
    vm = a_vm(dev, "bobs")
    type(vm).objects.filter(pk=vm.pk).update(owner=bob)
    return bob


def begun(session, user):
    client = Api(session)
    answer = client.post("access/preview", {"user": str(user.pk)})
    assert answer.status_code == 200, answer.content
    return client


def names(client):
    return sorted(row["name"] for row in client.get("vms").json()["items"])


def test_the_session_shows_what_the_person_sees_until_it_ends(scene):
    alice = session_of(make_person("alice"))
    client = begun(alice, scene)
    assert names(client) == ["bobs"]
    me = client.get("me").json()
    assert (me["username"], me["previewed_by"]) == ("bob", "alice")
    assert [actor.name for actor in actors_of_sessions([alice.pk]).values()] == ["bob"]  # the live stream's way
    assert names(Api(session_of(make_person("alice")))) == ["bobs", "others"]  # only this session
    assert client.delete("access/preview").status_code == 204
    assert names(client) == ["bobs", "others"]
    begin, end = (AuditEntry.objects.get(action=f"preview.{what}") for what in ("begin", "end"))
    for entry in (begin, end):
        assert (entry.actor_name, entry.object_name, entry.organization_id) == ("alice", "bob", scene.organization_id)


def test_every_write_is_refused_and_on_record_as_the_one_who_looks(scene, acme):
    client = begun(session_of(make_person("alice")), scene)
    vm = client.get("vms").json()["items"][0]["id"]
    before = AuditEntry.objects.count()
    for answer in (
        client.post(f"vms/{vm}/stop"),
        client.patch(f"vms/{vm}", {"description": "x"}),
        client.delete(f"vms/{vm}"),
        client.post("vms?dry_run=true", {}),
        client.post("me/password", {"current_password": "x", "new_password": "y"}),
        client.post("auth/logout"),
    ):
        body = refusal(answer, 403)
        assert (body["code"], "what bob sees" in body["detail"]) == ("preview_read_only", True)
    refused = AuditEntry.objects.order_by("pk")[before:]
    assert {entry.actor_name for entry in refused} == {"alice"}
    assert {str(entry.outcome) for entry in refused} == {"refused"}
    for path in ("me/sessions", "tokens", "me/second-factor"):  # what is his own account's alone
        refusal(client.get(path), 403)


def test_behind_the_doors_nothing_is_done_either(scene):
    alice = session_of(make_person("alice"))
    begun(alice, scene)
    actor = actor_of_session(alice.pk)
    assert actor is not None
    with pytest.raises(Previewing), transaction.atomic():
        audit.record(actor, "vm.edit", scene)


def test_the_portal_shows_it_with_a_bar_that_ends_it(scene):
    alice = browser("alice")
    page = alice.get(f"/people/{scene.pk}/")
    assert f"/people/{scene.pk}/preview/" in page.content.decode()
    assert alice.fill(f"/people/{scene.pk}/preview/").status_code == 302
    shown = alice.get("/vms/")
    assert ("You see what bob sees" in text(shown), "others" in text(shown)) == (True, False)
    refused = alice.post("/vms/bulk/", {"verb": "stop"})
    assert (refused.status_code, "End the preview first" in text(refused)) == (403, True)
    assert alice.post("/preview/end/").status_code == 302
    shown = alice.get("/vms/")
    assert ("You see what bob sees" in text(shown), "others" in text(shown)) == (False, True)


@pytest.mark.parametrize("who", ["alice", "root"])
def test_signing_out_ends_it_with_the_session(scene, who):
    client = browser(who)
    client.fill(f"/people/{scene.pk}/preview/")
    assert client.post("/sign-out/").status_code == 302
    entries = {name: AuditEntry.objects.get(action=name) for name in ("preview.end", "session.end")}
    assert {entry.actor_name for entry in entries.values()} == {who}
    assert entries["session.end"].organization_id == make_person(who).organization_id
    assert Session.objects.get(user__username=who).revoked_at is not None


def test_its_time_ends_it_at_once_and_is_said_later(scene):
    alice = session_of(make_person("alice"))
    client = begun(alice, scene)
    left = Session.objects.get(pk=alice.pk).preview_until - timezone.now()  # type: ignore[operator]
    assert timedelta(minutes=29) < left <= previews.LASTS
    Session.objects.filter(pk=alice.pk).update(preview_until=timezone.now())
    assert names(client) == ["bobs", "others"]
    assert (previews.expire_all(), previews.expire_all()) == (1, 0)
    entry = AuditEntry.objects.get(action="preview.end")
    assert (entry.actor_name, entry.after) == ("alice", {"because": "its time was over"})


def test_nobody_looks_as_somebody_above_himself_or_elsewhere(api, scene, acme, globex):
    founder = make_user("founder", home=acme)
    founder.bindings.create(role="system_admin")
    guest = make_user("guest", RoleName.ORG_ADMIN, organization=globex, home=acme)
    for user, status in ((founder, 403), (guest, 403), (make_person("charlie"), 422), (make_person("root"), 422)):
        answer = api("alice").post("access/preview", {"user": str(user.pk)})
        assert answer.status_code == status, (user, answer.content)
    for who in ("vera", "bob", "nobody"):
        refusal(api(who).post("access/preview", {"user": str(scene.pk)}), 403)
    refusal(api("alice").post("access/preview", {"user": str(make_person("alice").pk)}), 409)
    assert api("root").post("access/preview", {"user": str(founder.pk)}).status_code == 200


def test_who_rises_above_the_one_who_looks_is_not_seen_with_any_more(scene):
    alice = session_of(make_person("alice"))
    client = begun(alice, scene)
    bindings.bind_role(actor=OVIM, user=scene, role=RoleName.ORG_ADMIN, organization=make_organization("globex"))
    assert names(client) == ["bobs", "others"]
    assert client.get("me").json()["username"] == "alice"


def test_a_token_and_a_preview_begin_none(api, scene):
    made = api("alice").post("tokens", {"name": "ci"}).json()
    program = Api()
    program.headers["Authorization"] = f"Bearer {made['token']}"
    refusal(program.post("access/preview", {"user": str(scene.pk)}), 409)
    client = begun(session_of(make_person("alice")), scene)
    refusal(client.post("access/preview", {"user": str(scene.pk)}), 403)


def test_the_provider_looking_as_another_of_its_people_is_told_to_the_tenant_as_himself(live_db):
    """Support access is no secret for being done through somebody else's eyes."""
    make_cluster()
    a_vdc("dev", organization=make_organization("acme"))
    other = make_user("second", RoleName.SYSTEM_ADMIN)
    client = begun(session_of(make_person("root")), other)
    assert client.get(f"organizations/{make_organization('acme').pk}").status_code == 200
    entry = AuditEntry.objects.get(action="support.begin")
    assert (entry.actor_name, entry.object_name) == ("root", "acme")
