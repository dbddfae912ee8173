"""Every model of ours has its pages in the admin: for system admins, read-only, without secrets."""

import re
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from clusters.models import InventoryItem, ObservedObject, WorkItem
from core.backoffice import paging, show
from core.models import AuditCheckpoint, AuditEntry
from ovim_site import urls  # noqa: F401  # loading the routes is what registers the models
from tenancy.models import User
from tests.admin.scene import SECRET, make_vm, one_of_everything, session_row, signed_in
from tests.cast import a_password_hash
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db
OURS = ("core", "clusters", "tenancy", "vdcs", "catalogs", "vms")
REGISTERED = admin.site.models  # type: ignore[attr-defined]
# Checkpoints are the owner's to write: their page is opened where one is made, in tests/audit/test_retention.py.
MODELS = sorted(set(REGISTERED) - {AuditCheckpoint}, key=lambda model: model._meta.label)
OTHERS = ("alice", "vera", "bob", "nobody")


def address(model, page: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def pages_of(model) -> Iterator[str]:
    """Its list, searched and filtered in every way it offers, and the page of a row."""
    model_admin = REGISTERED[model]
    listed = address(model, "changelist")
    yield listed
    yield from (
        f"{listed}?q={term}" for term in ("web", "acme-dev/web", "0198c0de-0000-7000-8000-000000000000", "a%00b")
    )
    row = model._default_manager.first()
    assert row is not None, f"the scene has no {model.__name__}"
    yield f"{listed}?q={row.pk}"
    yield address(model, "change", quote(row.pk))
    request = HttpRequest()
    for made in model_admin.list_filter:
        if isinstance(made, type) and issubclass(made, admin.SimpleListFilter):
            for value, _title in made(request, {}, model, model_admin).lookup_choices:
                yield f"{listed}?{made.parameter_name}={value}"
        elif isinstance(made, tuple):
            yield f"{listed}?{made[0]}__isempty=1"
        else:
            field = model._meta.get_field(made)
            value = field.value_from_object(row)
            yield f"{listed}?{made}__id__exact={value}" if field.is_relation else f"{listed}?{made}__exact={value}"


def test_every_model_of_ours_is_registered():
    ours = {model for label in OURS for model in apps.get_app_config(label).get_models()}
    assert ours == set(REGISTERED)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_its_list_search_filters_and_page_open_for_a_system_admin(model):
    one_of_everything()
    root = signed_in("root")
    for page in pages_of(model):
        answer = root.get(page)
        assert answer.status_code == 200, (page, answer.status_code, answer.headers.get("Location"))
        assert SECRET not in answer.text
        assert a_password_hash() not in answer.text


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_nobody_can_add_change_or_delete_a_row_past_the_services(model):
    one_of_everything()
    root = signed_in("root")
    row = model._default_manager.first()
    before = model._default_manager.filter(pk=row.pk).values().get()
    page = address(model, "change", quote(row.pk))
    assert root.post(page, {"name": "changed"}).status_code == 405
    for name in ("add/", f"{quote(row.pk)}/delete/"):
        assert root.get(address(model, "changelist") + name).status_code == 404
    answer = root.post(address(model, "changelist"), {"action": "delete_selected", "_selected_action": str(row.pk)})
    assert answer.status_code in (200, 302, 403)
    assert model._default_manager.filter(pk=row.pk).values().get() == before
    assert '<input type="text"' not in root.get(page).text


def test_who_is_not_a_system_admin_is_told_that_there_is_nothing():
    one_of_everything()
    addresses = ["/admin/", "/admin/jsi18n/", "/admin/vms/", *(address(model, "changelist") for model in MODELS)]
    for name in OTHERS:
        client = signed_in(name)
        for page in addresses:
            assert client.get(page).status_code == 404, (name, page)


def test_who_is_not_signed_in_signs_in_and_comes_back():
    answer = Client().get("/admin/vms/virtualmachine/?q=web")
    assert (answer.status_code, answer.headers["Location"]) == (
        302, "/sign-in/?next=/admin/vms/virtualmachine/%3Fq%3Dweb",
    )  # fmt: skip


def test_ending_the_session_ends_the_admin_at_once():
    root = signed_in("root")
    assert root.get("/admin/").status_code == 200
    boss = signed_in("root")
    answer = boss.post("/admin/tenancy/session/verb/end/", {"pk": str(session_row(root).pk)})
    assert "The session is ended." in answer.text
    assert root.get("/admin/").status_code == 302


def test_the_portal_links_to_the_admin_for_system_admins_and_the_admin_back():
    one_of_everything()
    assert 'href="/admin/' in signed_in("root").get("/vms/").text
    assert 'href="/admin/' not in signed_in("alice").get("/vms/").text
    assert '<a href="/">Portal</a>' in signed_in("root").get("/admin/").text


def test_a_bearer_token_opens_nothing_here(api):
    assert Client().get("/admin/", headers=api("root").headers).status_code == 302


def test_a_verb_needs_the_csrf_token():
    vm = one_of_everything()
    root = signed_in("root")
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = root.cookies
    answer = strict.post("/admin/vms/virtualmachine/verb/suspend/", {"pk": str(vm.pk)})
    assert answer.status_code == 403
    vm.refresh_from_db()
    assert vm.suspended_at is None


@pytest.mark.parametrize("page", ["/admin/", "/admin/vms/virtualmachine/", "change", "verb"])
def test_a_page_keeps_to_the_strict_policy(page):
    """No inline script or style, no javascript: link: `script-src 'self'; style-src 'self'` would not run them."""
    vm = one_of_everything()
    known = {
        "change": address(VirtualMachine, "change", vm.pk),
        "verb": f"/admin/vms/virtualmachine/verb/suspend/?pk={vm.pk}",
    }
    answer = signed_in("root").get(known.get(page, page))
    assert answer.status_code == 200
    assert "script-src 'self'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    text = answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    for found in re.findall(r"(?:src|href)=\"(/static/[^\"#]+)", text):
        assert Client().get(found).status_code == 200, found


def test_rows_link_to_each_other():
    vm = one_of_everything()
    root = signed_in("root")
    item, held = WorkItem.objects.get(object_id=vm.pk), InventoryItem.objects.get(owner_id=vm.pk)
    page = root.get(address(VirtualMachine, "change", vm.pk)).text
    for model in (WorkItem, InventoryItem, AuditEntry):
        assert f"{address(model, 'changelist')}?q={vm.pk}" in page
    assert f"/vms/{vm.pk}/" in page
    listed = root.get(f"{address(WorkItem, 'changelist')}?q={vm.pk}").text
    assert address(WorkItem, "change", item.pk) in listed
    assert f'<a href="{address(VirtualMachine, "change", vm.pk)}">vm web</a>' in listed
    assert address(VirtualMachine, "change", vm.pk) in root.get(address(WorkItem, "change", item.pk)).text
    assert address(VirtualMachine, "change", vm.pk) in root.get(address(InventoryItem, "change", held.pk)).text
    seen = ObservedObject.objects.get(name="web")
    assert "/?q=acme-dev/web" in root.get(address(ObservedObject, "change", seen.pk)).text


def test_the_history_of_a_row_is_its_audit_log():
    vm = one_of_everything()
    root = signed_in("root")
    answer = root.get(address(VirtualMachine, "history", vm.pk), follow=True)
    assert "vm.create" in answer.text
    assert root.get(address(WorkItem, "history", WorkItem.objects.get().pk), follow=True).text.count("vm.create") >= 1


def test_documents_are_shown_with_their_secrets_masked():
    one_of_everything()
    page = signed_in("root").get(address(ObservedObject, "change", ObservedObject.objects.get().pk)).text
    assert "&quot;userData&quot;: &quot;•••&quot;" in page
    assert "&quot;running&quot;: true" in page


def test_masking_reaches_every_depth_and_leaves_names_alone():
    body = {
        "kind": "Secret", "data": {"a": "c2VjcmV0"}, "stringData": {"b": "x"},
        "spec": {"env": [{"name": "DB_PASSWORD", "value": "x"}, {"name": "PATH", "value": "/bin"}],
                 "secretRef": {"name": "web-init"}, "nested": [{"apiToken": "x"}]},
    }  # fmt: skip
    assert show.masked(body) == {
        "kind": "Secret", "data": {"a": "•••"}, "stringData": {"b": "•••"},
        "spec": {"env": [{"name": "DB_PASSWORD", "value": "•••"}, {"name": "PATH", "value": "/bin"}],
                 "secretRef": {"name": "web-init"}, "nested": [{"apiToken": "•••"}]},
    }  # fmt: skip


def queries_of(client: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as caught:
        assert client.get(page).status_code == 200
    return len(caught)


@pytest.mark.parametrize("model", [VirtualMachine, WorkItem, InventoryItem], ids=lambda model: model.__name__)
def test_a_list_costs_as_many_queries_for_forty_rows_as_for_one(model):
    vm = one_of_everything()
    root = signed_in("root")
    root.get(address(model, "changelist"))
    one = queries_of(root, address(model, "changelist"))
    for number in range(40):
        make_vm(vm.vdc, f"more-{number}", owner=vm.owner)
    assert queries_of(root, address(model, "changelist")) == one <= 12


def test_a_list_counts_no_further_than_its_bound(monkeypatch):
    vm = one_of_everything()
    for number in range(9):
        make_vm(vm.vdc, f"more-{number}")
    monkeypatch.setattr(paging, "BOUND", 5)
    with CaptureQueriesContext(connection) as caught:
        page = signed_in("root").get(address(VirtualMachine, "changelist")).text
    assert "more than 5 virtual machines" in " ".join(page.split())
    counts = [query["sql"] for query in caught if "COUNT(" in query["sql"] and "vms_virtualmachine" in query["sql"]]
    assert counts
    assert all("LIMIT 6" in sql for sql in counts)


def test_people_are_found_by_name_address_and_organization():
    one_of_everything()
    root = signed_in("root")
    User.objects.filter(username="vera").update(email="Vera.Jones@Example.test")
    listed = address(User, "changelist")
    for term in ("ver", "vera.jo", "VERA.JONES@example"):
        page = root.get(f"{listed}?q={term}").text
        assert (">vera</a>" in page, ">bob</a>" in page) == (True, False), term
    acme = User.objects.get(username="vera").organization_id
    assert ">bob</a>" in root.get(f"{listed}?q={acme}").text
