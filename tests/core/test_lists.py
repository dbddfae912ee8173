"""Lists over HTTP: pages both ways, sorts, filters, columns, one's own views, bulk, search; never a foreign row."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from catalogs.listings import ITEMS
from clusters.listings import CLUSTERS
from core.listing import keyset
from core.listing.cells import options_html
from core.models import SavedView
from tenancy.listings import AUDIT, ORGANIZATIONS, USERS
from tests.domain import a_vdc, a_vm, an_organization
from tests.test_permissions import signed_in
from vdcs.listings import VDCS
from vms.listings import VMS
from vms.models import VirtualMachine

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_a_page(monkeypatch):
    monkeypatch.setattr(keyset, "PAGE", 3)


def names(client, address):
    return re.findall(r'<th scope="row"[^>]*><a [^>]*>([^<]+)</a>', client.get(address).content.decode())


def way(client, address, rel):
    found = re.search(rf'href="([^"]+)" rel="{rel}"', client.get(address).content.decode())
    return found and found.group(1).replace("&amp;", "&")


@pytest.mark.parametrize("sort", ["name", "-name", "created", "-created"])
def test_pages_lead_there_and_back(cluster, three_a_page, sort):
    vdc = a_vdc()
    for name in ("c", "a", "e", "b", "d", "g", "f"):
        a_vm(vdc, name)
    made = list("caebdgf")
    wanted = {"name": sorted(made), "-name": sorted(made)[::-1], "created": made, "-created": made[::-1]}[sort]
    client, address, pages = signed_in("alice"), f"/vms/?sort={sort}", []
    while address:
        pages.append(address)
        address = way(client, address, "next")
    read = [names(client, page) for page in pages]
    assert read == [wanted[:3], wanted[3:6], wanted[6:]]
    back = way(client, pages[2], "prev")
    assert names(client, back) == wanted[3:6]
    assert names(client, way(client, back, "prev")) == wanted[:3]
    assert names(client, way(client, back, "next")) == wanted[6:]
    assert way(client, pages[0], "prev") is None


def test_the_same_name_in_two_vdcs_is_on_one_page_only(cluster, three_a_page):
    for number in range(4):
        a_vm(a_vdc(f"v{number}"), "twin")
    client = signed_in("alice")
    first = client.get("/vms/?sort=name").content.decode()
    second = client.get(way(client, "/vms/?sort=name", "next")).content.decode()
    ids = re.findall(r'data-id="([0-9a-f-]+)"', first) + re.findall(r'data-id="([0-9a-f-]+)"', second)
    assert len(ids) == len(set(ids)) == 4


def test_filters_and_the_place_narrow_and_stay_in_every_link(cluster, three_a_page):
    dev, prod = a_vdc("dev"), a_vdc("prod")
    for number in range(5):
        a_vm(dev, f"web-{number}")
    a_vm(prod, "web-9")
    VirtualMachine.objects.filter(name="web-0").update(phase="Failed")
    client = signed_in("alice")
    assert names(client, "/vms/?phase=attention") == ["web-0"]
    assert names(client, f"/vms/?vdc={prod.pk}") == ["web-9"]
    assert names(client, f"/vms/?org={prod.organization_id}&q=web-9") == ["web-9"]
    assert names(client, f"/vms/?vdc={dev.pk}&phase=Running") == []
    assert f"vdc={dev.pk}" in way(client, f"/vms/?vdc={dev.pk}&sort=name", "next")
    assert names(client, "/vms/?owner=me") == []


def test_columns_are_the_readers_choice(cluster):
    a_vm(a_vdc(), "web")
    page = signed_in("alice").get("/vms/?cols=state&cols=owner").content.decode()
    assert re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([A-Z][^<]*?) ?<', page) == ["Name", "State", "Owner"]


@pytest.mark.parametrize("listing", ["/vms/", "/vdcs/", "/orgs/", "/catalog/", "/people/", "/activity/", "/clusters/"])
def test_what_cannot_be_meant_breaks_no_list(cluster, listing):
    root = signed_in("root")
    for query in (
        "after=x",
        "before=~",
        "sort=nonsense&after=a~b",
        "cols=x",
        "org=x",
        "vdc=x",
        "ids=x",
        "q=%00%25",
        "state=x",
    ):
        assert root.get(f"{listing}?{query}").status_code == 200, query


@pytest.mark.parametrize("listing", ["/vdcs/", "/orgs/", "/people/", "/activity/", "/", "/search/?q=globex"])
def test_another_tenants_rows_are_on_no_list(cluster, listing):
    theirs = a_vm(a_vdc("globex-main", organization=an_organization("globex")), "globex-vm")
    signed_in("charlie").post("/views/", {"listing": "vm", "name": "x", "query": ""})
    for name in ("alice", "vera", "bob", "nobody"):
        answer = signed_in(name).get(listing)
        text = re.sub('q=globex|q%3Dglobex|value="globex"', "", answer.content.decode())  # what was asked is echoed
        assert answer.status_code == 403 or not re.search("globex|charlie", text, re.IGNORECASE), name
        assert str(theirs.vdc_id) not in text


def test_a_view_is_kept_for_its_owner_alone(cluster):
    alice, vera = signed_in("alice"), signed_in("vera")
    kept = alice.post("/views/", {"listing": "vm", "name": " Web  servers ", "query": "q=web&after=x&sort=name"})
    assert kept.status_code == 302
    assert kept.headers["Location"] == "/vms/?q=web&sort=name"
    assert "Web servers" in alice.get("/vms/").content.decode()
    assert "Web servers" not in vera.get("/vms/").content.decode()
    assert "Web servers" not in alice.get("/vdcs/").content.decode()
    view = SavedView.objects.get()
    assert vera.post(f"/views/{view.pk}/remove/").status_code == 404
    alice.post("/views/", {"listing": "vm", "name": "Web servers", "query": "q=www"})
    assert SavedView.objects.get().query == "q=www"
    assert alice.post(f"/views/{view.pk}/remove/").status_code == 302
    assert not SavedView.objects.exists()


@pytest.mark.parametrize(("fields", "said"), [({"name": " "}, "1 to 40"), ({"name": "x" * 41}, "1 to 40")])
def test_a_view_without_a_sane_name_is_refused(cluster, fields, said):
    alice = signed_in("alice")
    answer = alice.post("/views/", {"listing": "vm", "query": "q=web"} | fields, follow=True)
    assert said in answer.content.decode()
    assert not SavedView.objects.exists()
    assert alice.post("/views/", {"listing": "nothing", "name": "x"}).status_code == 422


def test_many_are_stopped_at_once_each_with_its_own_result(cluster):
    vdc = a_vdc()
    theirs = a_vm(a_vdc("main", organization=an_organization("globex")), "theirs")
    ours = [a_vm(vdc, name) for name in ("one", "two")]
    alice = signed_in("alice")
    body = {"verb": "stop", "ids": [*(vm.pk for vm in ours), theirs.pk], "query": "q=o"}
    asked = alice.post("/vms/bulk/", body).content.decode()
    assert "Stop 2 virtual machines?" in asked
    assert "theirs" not in asked
    assert not VirtualMachine.objects.filter(power_state="off").exists()
    text = alice.post("/vms/bulk/", body | {"sure": "yes"}).content.decode()
    assert "2 told to stop" in text
    assert "theirs" not in text
    assert {vm.power_state for vm in VirtualMachine.objects.filter(vdc=vdc)} == {"off"}
    assert VirtualMachine.objects.get(pk=theirs.pk).power_state == "on"


def test_deleting_many_first_says_what_is_lost(cluster):
    vm = a_vm(a_vdc(), "one")
    alice = signed_in("alice")
    asked = alice.post("/vms/bulk/", {"verb": "delete", "ids": vm.pk}).content.decode()
    assert "one-disk-0" in asked
    assert VirtualMachine.objects.get().deletion_requested_at is None
    alice.post("/vms/bulk/", {"verb": "delete", "ids": vm.pk, "sure": "yes"})
    assert VirtualMachine.objects.get().deletion_requested_at is not None
    again = alice.post("/vms/bulk/", {"verb": "start", "ids": vm.pk, "sure": "yes"}).content.decode()
    assert "Nothing was done" in again
    assert "It is being deleted." in again
    assert alice.post("/vms/bulk/", {"verb": "nonsense", "ids": vm.pk}).status_code == 422


def test_search_finds_things_pages_and_verbs_in_a_constant_number_of_statements(cluster):
    vdc = a_vdc()
    vm = a_vm(vdc, "web-1")
    alice = signed_in("alice")
    few = statements(alice, "/search/?q=web")
    for number in range(2, 12):
        a_vm(vdc, f"web-{number}")
    assert statements(alice, "/search/?q=web") == few <= 8
    assert alice.get("/search/?q=web").content.decode().count("/vms/0") == 8
    assert f"/vms/{vm.pk}/" in alice.get(f"/search/?q={vm.pk}").content.decode()
    assert "Stop web-1" in alice.get("/search/?q=stop web-1").content.decode()
    assert "Clusters" not in alice.get("/search/?q=clust").content.decode()
    assert "/clusters/" in signed_in("root").get("/search/?q=clust").content.decode()


@pytest.mark.parametrize("address", ["/", "/orgs/", "/people/", "/activity/", "/place/", "/vms/?sort=name&q=m"])
def test_more_rows_cost_no_more_statements(cluster, address):
    vdc = a_vdc()
    a_vm(vdc, "m-0")
    root = signed_in("root")
    few = statements(root, address)
    for number in range(1, 6):
        a_vm(vdc, f"m-{number}")
    assert statements(root, address) == few <= 10


def statements(client, address):
    with CaptureQueriesContext(connection) as found:
        assert client.get(address).status_code == 200
    return len(found)


def test_the_place_leads_back_with_itself_in_the_address_and_never_elsewhere(cluster):
    vdc = a_vdc()
    alice = signed_in("alice")
    text = alice.get("/place/?next=/vms/%3Fsort=name").content.decode()
    assert f"/vms/?sort=name&amp;org={vdc.organization_id}&amp;vdc={vdc.pk}" in text
    assert not re.search(
        '(href|value)="https://evil', alice.get("/place/?next=https://evil.example.org/").content.decode()
    )


def test_a_way_out_of_a_denial_is_tried_and_changes_the_form_only(cluster):
    small, big = a_vdc("small", limits={"memory_mib": 2048}), a_vdc("wide")
    item = a_vm(big, "there").catalog_item_id
    wish = {"vdc": small.pk, "name": "huge", "catalog_item": item, "memory_mib": "8Gi"}
    alice = signed_in("alice")
    refused = alice.post("/vms/new/", wish)
    assert refused.status_code == 422
    text = refused.content.decode()
    assert "Use 2\N{NO-BREAK SPACE}GiB Memory" in text
    assert f'value="vdc={big.pk}"' in text
    for change in ("memory_mib=2Gi", f"vdc={big.pk}"):
        assert "It fits." in alice.post("/vms/new/", wish | {"way": change}).content.decode()
    assert VirtualMachine.objects.count() == 1


def test_what_stands_in_a_choice_is_text_and_the_chosen_one_is_marked():
    html = options_html([("", "Any"), ('a"b', "<b>bold</b>")], 'a"b')
    assert html == ('<option value="">Any</option><option value="a&quot;b" selected>&lt;b&gt;bold&lt;/b&gt;</option>')


@pytest.mark.parametrize(
    "listing", [VMS, VDCS, ORGANIZATIONS, USERS, AUDIT, ITEMS, CLUSTERS], ids=lambda item: item.name
)
def test_no_cell_of_any_column_is_escaped_twice(cluster, listing):
    vm = a_vm(a_vdc(), "web", display_name="<b>")
    VirtualMachine.objects.filter(pk=vm.pk).update(ip_addresses=["10.0.0.1"], guest_os="<b>", phase="Failed")
    every = ",".join(column.key for column in listing.columns)
    root = signed_in("root")
    page = root.get(f"{reverse(listing.url)}?cols={every}").content.decode()
    body = page[page.index("<tbody>") : page.index("</tbody>")] if "<tbody>" in page else ""
    assert not re.search(r"&amp;(lt|amp|quot);|&lt;/?(bdi|span|svg|time|a)\b", body)
    assert body
