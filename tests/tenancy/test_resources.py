"""Organizations, users, role bindings and the audit log through the API: what each door lets in and refuses."""

import re
from uuid import uuid4

import pytest

from clusters.models import NamespaceAllotment, Placement, WorkItem
from core.api.columns import Columns
from core.errors import NotFound
from core.models import AuditEntry
from tenancy.api.serializers.organizations import OrganizationOut
from tenancy.kinds import RECIPE
from tenancy.models import Organization, RoleBinding, RoleName, Session, User
from tenancy.services import organizations
from tests.cast import PASSWORD, make_organization, make_person, make_user, session_of
from tests.portal import browser, text
from tests.test_permissions import TABLE
from vdcs.models import NamespaceAccess

pytestmark = pytest.mark.django_db
NEW = {"name": "initech", "display_name": "Initech"}
STRONG = "a-very-long-passphrase"


def refusal(answer, status, field=None, rule=None):
    """The answer is a problem with this status, that names this field and rule."""
    assert answer.status_code == status, answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["detail"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    if field is not None:
        assert body["errors"][0]["field"] == field
    if rule is not None:
        assert body["errors"][0]["rule"] == rule
    return body


# Organizations


def test_a_new_organization_has_its_place_and_its_work(api, cluster):
    made = api("root").post("organizations", NEW)
    assert made.status_code == 201
    assert made.headers["ETag"] == '"1"'
    body = made.json()
    assert {key: body[key] for key in NEW} == NEW
    assert (body["phase"], body["generation"], body["enabled"]) == ("Pending", 1, True)
    placement = Placement.objects.get(owner_kind="organization", owner_id=body["id"])
    assert placement.cluster_id == cluster.pk
    assert str(placement.tenant_id) == body["id"]
    assert NamespaceAllotment.objects.get(owner_id=body["id"]).name == "initech"
    assert WorkItem.objects.filter(object_id=placement.pk).exists()
    entry = AuditEntry.objects.get(action="organization.create")
    assert (entry.actor_name, entry.object_name, str(entry.organization_id)) == ("root", "initech", body["id"])
    assert api("root").get(f"organizations/{body['id']}").json() == body


def test_a_namespace_that_is_taken_gets_a_suffix(api, cluster):
    NamespaceAllotment.objects.create(cluster=cluster, name="initech", owner_kind="vdc", owner_id=uuid4())
    body = api("root").post("organizations", NEW).json()
    assert NamespaceAllotment.objects.get(owner_id=body["id"]).name.startswith("initech-")


def test_without_a_cluster_nothing_is_made(api):
    refusal(api("root").post("organizations", NEW), 503)
    assert not Organization.objects.exists()


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"name": "Initech"}, "name", "dns_label"),
        ({"name": "a" * 64}, "name", "dns_label"),
        ({"name": "-a"}, "name", "dns_label"),
        ({"name": "ab\n"}, "name", "dns_label"),
        ({"name": ""}, "name", "blank"),
        ({"name": 5}, "name", "invalid"),
        ({"name": None}, "name", "null"),
        ({"name": "a\0b"}, "name", None),
        ({"name": "kube-system"}, "name", "reserved"),
        ({"name": "default"}, "name", "reserved"),
        ({"name": "kube"}, "name", "reserved"),
        ({"name": "openshift"}, "name", "reserved"),
        ({"name": "ovim"}, "name", "reserved"),
        ({"name": "ovim-x"}, "name", "reserved"),
        *(({"name": name}, "name", "reserved") for name in sorted(organizations.SIGN_IN_PAGES)),
        ({"display_name": "x" * 256}, "display_name", "max_length"),
        ({"description": {"a": 1}}, "description", "invalid"),
        ({"colour": "red"}, "colour", "unknown_field"),
        ({"id": str(uuid4())}, "id", "unknown_field"),
    ],
)
def test_refuses_a_bad_organization_by_field_and_rule(api, cluster, change, field, rule):
    refusal(api("root").post("organizations", NEW | change), 422, field, rule)
    assert not Organization.objects.filter(display_name="Initech").exists()


def test_every_page_below_sign_in_is_no_organizations_name(api, cluster):
    """An organization's own sign-in page is there by its name: what another page has, no organization gets."""
    literal = {match[1] for route in TABLE if (match := re.fullmatch(r"sign-in/([a-z-]+)/", route[1]))}
    assert literal == organizations.SIGN_IN_PAGES
    refused = api("root").post("organizations", {"name": "reset", "display_name": "Reset"})
    assert "/sign-in/reset/ is a page of OVIM" in refused.json()["detail"]
    form = browser("root").fill("/orgs/new/", name="find", display_name="Find", mode="reservation")
    assert (form.status_code, "/sign-in/find/ is a page of OVIM" in text(form)) == (422, True)


def test_a_duplicate_name_is_a_conflict_on_that_field(api, cluster, acme):
    refusal(api("root").post("organizations", NEW | {"name": "acme"}), 409, "name", "unique")


@pytest.mark.parametrize("name", ["alice", "vera", "bob", "nobody"])
def test_only_system_admins_make_organizations(api, cluster, name):
    refusal(api(name).post("organizations", NEW), 403)
    assert AuditEntry.objects.filter(outcome="refused", actor_name=name).exists()


def test_an_organization_admin_edits_its_texts_and_nothing_else(api, acme):
    alice = api("alice")
    answer = alice.patch(f"organizations/{acme.pk}", {"description": "we make everything"})
    assert answer.status_code == 200
    assert (answer.json()["description"], answer.json()["generation"]) == ("we make everything", 2)
    assert answer.headers["ETag"] == '"2"'
    refusal(alice.patch(f"organizations/{acme.pk}", {"enabled": False}), 403)
    refusal(alice.patch(f"organizations/{acme.pk}", {"name": "other"}), 422, "name", "unknown_field")


def test_an_edit_that_changes_nothing_is_none(api, acme):
    answer = api("alice").patch(f"organizations/{acme.pk}", {"display_name": "Acme"})
    assert answer.json()["generation"] == 1
    assert not AuditEntry.objects.filter(action="organization.edit").exists()


def test_an_edit_asks_its_placements_for_work(api, cluster):
    pk = api("root").post("organizations", NEW).json()["id"]
    api("root").patch(f"organizations/{pk}", {"display_name": "Initech Inc."})
    assert Placement.objects.get(owner_id=pk).generation == 2


@pytest.mark.parametrize("tag", ['"7"', 'W/"3"', '"nonsense"', '"1", "x"'])
def test_a_stale_etag_is_refused(api, acme, tag):
    acme.generation = 3
    acme.save()
    body = refusal(api("alice").patch(f"organizations/{acme.pk}", {"description": "x"}, If_Match=tag), 412)
    assert body["current"] == 3


@pytest.mark.parametrize("tag", ['"1"', "*", '"9", "1"'])
def test_a_current_etag_passes(api, acme, tag):
    assert api("alice").patch(f"organizations/{acme.pk}", {"description": "x"}, If_Match=tag).status_code == 200


def test_another_tenants_organization_is_not_there(api, acme, globex):
    alice = api("alice")
    for answer in (
        alice.get(f"organizations/{globex.pk}"),
        alice.patch(f"organizations/{globex.pk}", {"description": "x"}),
        alice.get(f"organizations/{uuid4()}"),
        alice.get("organizations/not-an-id"),
    ):
        refusal(answer, 404)
    assert [row["name"] for row in alice.get("organizations").json()["items"]] == ["acme"]


def test_disabling_an_organization_locks_its_people_out_at_once(api, acme):
    alice = api("alice")
    assert api("root").patch(f"organizations/{acme.pk}", {"enabled": False}).status_code == 200
    refusal(alice.get("me"), 401)


def test_deleting_is_refused_while_there_are_vdcs(api, acme, acme_dev):
    body = refusal(api("root").delete(f"organizations/{acme.pk}"), 409)
    assert "dev" in body["detail"]


def test_deleting_asks_the_placements_to_end(api, cluster):
    pk = api("root").post("organizations", NEW).json()["id"]
    answer = api("root").delete(f"organizations/{pk}")
    assert answer.status_code == 202
    assert answer.json()["deletion_requested_at"]
    assert Placement.objects.get(owner_id=pk).deletion_requested_at is not None
    refusal(api("root").patch(f"organizations/{pk}", {"description": "x"}), 409)


def test_a_system_admin_outlives_the_organization_he_is_from(api, cluster):
    pk = api("root").post("organizations", NEW).json()["id"]
    home = Organization.objects.get(pk=pk)
    chief = make_user("chief", RoleName.SYSTEM_ADMIN, home=home)
    make_user("clerk", RoleName.ORG_ADMIN, organization=home)
    api("root").delete(f"organizations/{pk}")
    NamespaceAccess.objects.all().delete()  # as the engine does, which drops what came along first
    RECIPE.gone(Placement.objects.get(owner_id=pk))
    assert not Organization.objects.filter(pk=pk).exists()
    assert not User.objects.filter(username="clerk").exists()
    chief.refresh_from_db()
    assert chief.organization is None
    assert chief.bindings.get().role == RoleName.SYSTEM_ADMIN


def test_a_row_that_goes_between_two_looks_is_not_found(api, cluster):
    with pytest.raises(NotFound):
        Columns(Organization.objects.all(), OrganizationOut).one(uuid4())


# Users


def test_an_organization_admin_adds_a_person(api, acme):
    person = {"username": "dora", "password": STRONG, "organization": str(acme.pk)}
    made = api("alice").post("users", person)
    assert made.status_code == 201
    assert "password" not in made.json()
    assert api(None).post("auth/login", {"username": "dora", "password": STRONG}).status_code == 200
    assert STRONG not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"username": "Dora!"}, "username"),
        ({"username": "d" * 151}, "username"),
        ({"password": "short"}, "password"),
        ({"password": "password1234"}, "password"),
        ({"email": "no-address"}, "email"),
        ({"email": 5}, "email"),
        ({"organization": "acme"}, "organization"),
        ({"organization": 5}, "organization"),
        ({"is_superuser": True}, "is_superuser"),
    ],
)
def test_refuses_a_bad_person_by_field(api, acme, change, field):
    person = {"username": "dora", "password": STRONG, "organization": str(acme.pk)}
    refusal(api("alice").post("users", person | change), 422, field)
    assert not User.objects.filter(username="dora").exists()


def test_an_organization_admin_adds_people_only_at_home(api, acme, globex):
    alice = api("alice")
    person = {"username": "dora", "password": STRONG}
    refusal(alice.post("users", person | {"organization": str(globex.pk)}), 422, "organization", "not_found")
    refusal(alice.post("users", person), 403)
    refusal(alice.post("users", person | {"username": "alice", "organization": str(acme.pk)}), 409, "username")


def test_people_of_other_tenants_are_not_there(api):
    charlie = make_person("charlie")
    refusal(api("alice").get(f"users/{charlie.pk}"), 404)
    refusal(api("alice").patch(f"users/{charlie.pk}", {"full_name": "x"}), 404)


def test_nobody_takes_over_an_account_with_more_rights(api, acme):
    chief = make_user("chief", RoleName.SYSTEM_ADMIN, home=acme)
    refusal(api("alice").patch(f"users/{chief.pk}", {"password": STRONG}), 403)
    refusal(api("alice").patch(f"users/{chief.pk}", {"enabled": False}), 403)
    guest = make_user("guest", RoleName.ORG_ADMIN, organization=make_organization("globex"), home=acme)
    refusal(api("alice").patch(f"users/{guest.pk}", {"password": STRONG}), 403)


def test_a_new_password_ends_the_persons_sessions(api, acme):
    bob = make_person("bob")
    session = session_of(bob)
    assert api("alice").patch(f"users/{bob.pk}", {"password": STRONG}).status_code == 200
    assert Session.objects.get(pk=session.pk).revoked_at is not None
    bob.refresh_from_db()
    assert bob.check_password(STRONG)


def test_disabling_and_enabling(api, acme):
    person = make_person("bob")
    bob = api("bob")
    assert api("alice").patch(f"users/{person.pk}", {"enabled": False}).json()["enabled"] is False
    refusal(bob.get("me"), 401)
    assert api("alice").patch(f"users/{person.pk}", {"enabled": True}).json()["enabled"] is True
    refusal(bob.get("me"), 401)
    assert api("bob").get("me").status_code == 200


def test_the_last_admins_stay(api):
    root, alice = make_person("root"), make_person("alice")
    refusal(api("root").patch(f"users/{root.pk}", {"enabled": False}), 409)
    refusal(api("root").patch(f"users/{alice.pk}", {"enabled": False}), 409)
    for binding in RoleBinding.objects.all():
        refusal(api("root").delete(f"role-bindings/{binding.pk}"), 409)
    make_user("alicia", RoleName.ORG_ADMIN, organization=Organization.objects.get(name="acme"))
    assert api("root").patch(f"users/{alice.pk}", {"enabled": False}).status_code == 200


def test_a_stale_person_is_refused(api):
    bob = make_person("bob")
    refusal(api("root").patch(f"users/{bob.pk}", {"full_name": "Bob"}, If_Match='"9"'), 412)


# Role bindings


def bind(api, who, **given):
    return api(who).post("role-bindings", {key: value and str(value) for key, value in given.items()})


def test_an_organization_admin_gives_roles_in_his_organization(api, acme, acme_dev):
    dora = make_user("dora", home=acme)
    made = bind(api, "alice", user=dora.pk, role="vdc_admin", organization=acme.pk, vdc=acme_dev.pk)
    assert made.status_code == 201
    assert (made.json()["username"], made.json()["vdc"]) == ("dora", str(acme_dev.pk))
    assert AuditEntry.objects.get(action="binding.create").organization_id == acme.pk
    assert api("alice").delete(f"role-bindings/{made.json()['id']}").status_code == 204
    assert not RoleBinding.objects.filter(user=dora).exists()


def test_nobody_gives_more_than_he_has(api, acme, globex, acme_dev):
    dora = make_user("dora", home=acme)
    refusal(bind(api, "alice", user=dora.pk, role="system_admin"), 403)
    refusal(bind(api, "alice", user=dora.pk, role="org_admin", organization=globex.pk), 422, "organization")
    for who in ("vera", "bob"):
        refusal(bind(api, who, user=dora.pk, role="user", organization=acme.pk, vdc=acme_dev.pk), 403)
    assert not RoleBinding.objects.filter(user=dora).exists()


def test_strangers_cannot_be_drawn_into_an_organization(api, acme):
    charlie, root = make_person("charlie"), make_person("root")
    for person in (charlie, root):
        refusal(bind(api, "alice", user=person.pk, role="user", organization=acme.pk), 422, "user", "not_found")


@pytest.mark.parametrize(
    ("role", "place", "field"),
    [
        ("system_admin", {"organization": "acme"}, "organization"),
        ("org_admin", {}, "organization"),
        ("user", {}, "organization"),
        ("org_admin", {"organization": "acme", "vdc": "acme"}, "vdc"),
        ("user", {"organization": "acme", "vdc": "globex"}, "vdc"),
        ("user", {"organization": "acme", "vdc": "none"}, "vdc"),
        ("emperor", {"organization": "acme"}, "role"),
    ],
)
def test_a_role_belongs_to_its_kind_of_place(api, acme_dev, globex_main, role, place, field):  # noqa: PLR0917
    acme = acme_dev.organization
    places = {"acme": acme_dev.pk, "globex": globex_main.pk, "none": uuid4()}
    given = {"organization": acme.pk if "organization" in place else None, "vdc": places.get(place.get("vdc"))}
    dora = make_user("dora", home=acme)
    refusal(bind(api, "root", user=dora.pk, role=role, **given), 422, field)


def test_a_role_is_bound_once(api, acme):
    dora = make_user("dora", home=acme)
    given = {"user": dora.pk, "role": "user", "organization": acme.pk}
    assert bind(api, "alice", **given).status_code == 201
    assert "bound there already" in refusal(bind(api, "alice", **given), 409)["detail"]


def test_other_tenants_bindings_are_not_there(api):
    make_person("charlie")
    binding = RoleBinding.objects.get(user__username="charlie")
    refusal(api("alice").delete(f"role-bindings/{binding.pk}"), 404)
    assert binding.pk not in [row["id"] for row in api("alice").get("role-bindings").json()["items"]]


# Lists


def test_pages_follow_one_another_without_a_gap_or_a_repeat(api):
    people = {str(make_user(f"p{number}").pk) for number in range(7)}
    root, seen, after = api("root"), [], None
    while True:
        page = root.get("users?limit=3" + (f"&after={after}" if after else "")).json()
        assert len(page["items"]) <= 3
        seen += [row["id"] for row in page["items"]]
        after = page["next"]
        if after is None:
            break
    assert seen == sorted(seen)
    assert len(seen) == len(set(seen)) == 8
    assert people < set(seen)


def test_a_full_last_page_says_that_it_is_the_last(api):
    make_user("p0")
    page = api("root").get("users?limit=2").json()
    assert (len(page["items"]), page["next"]) == (2, None)


def test_filters_and_search(api, acme, globex):
    root = api("root")
    for name in ("alice", "bob", "charlie"):
        make_person(name)
    User.objects.filter(username="bob").update(is_active=False, full_name="Robert 100%")

    def found(query):
        return sorted(row["username"] for row in root.get(f"users?{query}").json()["items"])

    assert found(f"organization={acme.pk}") == ["alice", "bob"]
    assert found("username=bob") == found("enabled=false") == found("q=ROBERT") == found("q=100%25") == ["bob"]
    assert found("q=%25_") == found("username=nope") == []
    assert found(f"organization={acme.pk}&enabled=true") == ["alice"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=9999999999999999999", "limit"),
        ("limit=%D9%A3", "limit"),
        ("after=7", "after"),
        ("organization=acme", "organization"),
        ("enabled=yes", "enabled"),
        ("colour=red", "colour"),
        ("username=a%00b", "username"),
        ("q=a%00b", "q"),
        ("q=" + "x" * 300, "q"),
        ("limit=1&limit=2", "limit"),
        ("password=x", "password"),
    ],
)
def test_a_query_that_means_nothing_is_refused_by_name(api, query, field):
    refusal(api("root").get(f"users?{query}"), 400, field)


def test_the_audit_log_shows_the_newest_first_and_only_ones_own(api, cluster):
    root = api("root")
    make_organization("acme")
    for name in ("one", "two"):
        root.post("organizations", NEW | {"name": name})
    items = root.get("audit-entries?action=organization.create&limit=1").json()
    assert items["items"][0]["object_name"] == "two"
    older = root.get(f"audit-entries?action=organization.create&after={items['next']}").json()
    assert [entry["object_name"] for entry in older["items"]] == ["one"]
    assert api("charlie").get("audit-entries?action=organization.create").json()["items"] == []
    refusal(root.get("audit-entries?outcome=great"), 400, "outcome", "choice")


@pytest.mark.parametrize("path", ["organizations", "users", "role-bindings", "audit-entries"])
def test_a_list_takes_two_queries_however_long(api, path, django_assert_num_queries):
    root = api("root")
    for number in range(20):
        make_user(f"p{number}", RoleName.USER, organization=make_organization(f"o{number}"))
    with django_assert_num_queries(2):
        assert root.get(f"{path}?limit=10").status_code == 200


def test_postgresql_renders_a_person_as_the_shape_would(api, acme):
    from tenancy.api.serializers.people import UserOut

    bob = make_person("bob")
    shown = api("root").get(f"users/{bob.pk}").json()
    actions = shown.pop("allowed_actions")
    assert actions == {
        "edit": None,
        "reset_password": None,
        "disable": None,
        "enable": "The account is enabled already.",
        "delete": None,
    }
    bob.refresh_from_db()
    shape = UserOut(bob)
    del shape.fields["allowed_actions"]
    assert shown == {
        key: str(value) if not isinstance(value, str | int | bool) else value for key, value in shape.data.items()
    }
    assert PASSWORD not in str(shown)
