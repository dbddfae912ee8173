"""Organizations, quotas, VDCs and roles by hand at the portal: forms over HTTP, without a browser."""

import pytest

from clusters.conditions import true
from tenancy.models import Organization, RoleBinding, RoleName, User
from tests.cast import make_person, make_user
from tests.domain import a_vdc, a_vm, an_item, an_organization
from tests.portal import browser, text
from vdcs.models import QuotaScope, Vdc

pytestmark = pytest.mark.django_db
INITECH = {"name": "initech", "display_name": "Initech", "mode": "reservation"}
VDC = {"name": "dev", "enforcement": "allocated", "network_mode": "default"}


def quota(organization):
    return QuotaScope.objects.get(organization=organization, vdc=None)


# Organizations


def test_an_organization_is_made_with_its_quota(cluster):
    given = INITECH | {"cpu": "64", "memory_mib": "256Gi", "disk_gib": "2Ti", "classes": "fast 200Gi\nslow 1 TiB"}
    made = browser("root").fill("/orgs/new/", **given)
    initech = Organization.objects.get(name="initech")
    assert (made.status_code, made.headers["Location"]) == (302, f"/orgs/{initech.pk}/")
    assert quota(initech).limits == {
        "cpu": 64, "memory_mib": 262144, "disk_gib": 2048, "disk_gib/fast": 200, "disk_gib/slow": 1024,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "at", "words"),
    [
        ({"name": "Initech"}, "name", "lower-case"),
        ({"name": "acme"}, "name", "already"),
        ({"name": "kube-system"}, "name", "name of the platform"),
        ({"memory_mib": "64"}, "memory_mib", "Write the unit"),
        ({"memory_mib": "1.5Ki"}, "memory_mib", "not a whole number of MiB"),
        ({"cpu": "-1"}, "cpu", "greater than or equal to 0"),
        ({"classes": "fast"}, "classes", "no quantity"),
        ({"classes": "Fast! 5Gi"}, "classes", "is no resource"),
    ],
)
def test_a_bad_organization_is_refused_whole_at_its_field(cluster, acme, given, at, words):
    answer = browser("root").fill("/orgs/new/", **INITECH | given)
    assert answer.status_code in (409, 422)
    page = answer.content.decode()
    assert words in page[page.index(f'id="id_{at}_error"') :][:400]
    assert not Organization.objects.exclude(pk=acme.pk).exists()


def test_sent_twice_made_once_and_sent_otherwise_made_anew(cluster):
    root = browser("root")
    page = root.get("/orgs/new/")
    first = root.fill("/orgs/new/", seen=page, **INITECH)
    again = root.fill("/orgs/new/", seen=page, **INITECH)
    assert first.headers["Location"] == again.headers["Location"]
    other = root.fill("/orgs/new/", seen=page, **INITECH | {"name": "initrode"})  # back in the browser, and on
    assert other.status_code == 302
    assert Organization.objects.count() == 2


def test_texts_are_the_admins_and_the_rest_is_the_providers(acme):
    alice = browser("alice")
    assert alice.fill(f"/orgs/{acme.pk}/edit/", display_name="ACME", description="all of it").status_code == 302
    acme.refresh_from_db()
    assert (acme.display_name, acme.description) == ("ACME", "all of it")
    page = alice.get(f"/orgs/{acme.pk}/").content.decode()
    for verb in ("quota", "disable", "enable", "delete"):
        assert alice.get(f"/orgs/{acme.pk}/{verb}/").status_code == 403
        assert alice.post(f"/orgs/{acme.pk}/{verb}/", {"mode": "elastic", "confirm": "acme"}).status_code == 403
        assert f"/orgs/{acme.pk}/{verb}/" not in page
    acme.refresh_from_db()
    assert acme.enabled
    assert acme.deletion_requested_at is None


def test_a_quota_shows_before_and_after_and_refuses_less_than_is_reserved(cluster):
    acme = an_organization("acme", cpu=64, memory_mib=65536)
    a_vdc("dev", organization=acme, limits={"cpu": 16, "memory_mib": 32768})
    root = browser("root")
    address = f"/orgs/{acme.pk}/quota/"
    assert 'value="64Gi"' in root.get(address).content.decode()
    plan = root.fill(address, live=True, mode="reservation", cpu="32", memory_mib="64Gi")
    assert "vCPU 16 reserved · 64 → 32 · 16 left" in text(plan)
    assert "Memory 32 GiB reserved · 64 GiB · 32 left" in text(plan).replace("\N{NO-BREAK SPACE}", " ")
    refused = root.fill(address, mode="reservation", cpu="8", memory_mib="64Gi")
    assert refused.status_code == 422
    for words in ("vCPU: 8 short in organization acme", "8 over", "the limits of the organization’s VDCs"):
        assert words in text(refused)
    assert quota(acme).limits["cpu"] == 64
    unclear = root.fill(address, live=True, mode="reservation", cpu="64", memory_mib="64")
    assert "Memory 32 GiB reserved · 64 GiB" in text(unclear).replace("\N{NO-BREAK SPACE}", " ")  # not "no limit"
    assert root.fill(address, mode="reservation", cpu="32", memory_mib="64Gi").status_code == 302
    assert quota(acme).limits == {"cpu": 32, "memory_mib": 65536}


def test_two_who_set_a_quota_do_not_overwrite_each_other(cluster):
    acme = an_organization("acme", cpu=64)
    make_user("rita", RoleName.SYSTEM_ADMIN)
    rita, root = browser(User.objects.get(username="rita")), browser("root")
    address = f"/orgs/{acme.pk}/quota/"
    seen = root.get(address)
    assert rita.fill(address, mode="reservation", cpu="48").status_code == 302
    clash = root.fill(address, seen=seen, mode="reservation", cpu="32")
    assert clash.status_code == 412
    assert "rita changed this" in text(clash)
    assert "vCPU 48" in text(clash)
    assert quota(acme).limits == {"cpu": 48}


def test_a_disabled_organization_is_out_and_back(acme):
    alice, root = browser("alice"), browser("root")
    assert root.fill(f"/orgs/{acme.pk}/disable/", vms="keep").status_code == 302
    assert alice.get("/vms/").headers["Location"].startswith("/sign-in/")
    assert root.fill(f"/orgs/{acme.pk}/enable/").status_code == 302
    assert alice.get("/vms/").status_code == 200


def test_deleting_an_organization_takes_its_name_and_a_time_of_grace_where_it_has_vdcs(cluster, acme_dev):
    acme, root = acme_dev.organization, browser("root")
    address = f"/orgs/{acme.pk}/delete/"
    assert f"/vdcs/{acme_dev.pk}/" in root.get(address).content.decode()
    wrong = root.fill(address, confirm="acm")
    assert (wrong.status_code, "type acme" in text(wrong)) == (422, True)
    assert "until then it can be undone" in text(root.get(address))
    Vdc.objects.all().delete()
    assert "It can’t be undone" in text(root.get(address))
    assert root.fill(address, confirm="acme").status_code == 302
    acme.refresh_from_db()
    assert acme.deletion_requested_at is not None


# VDCs


def test_a_vdc_is_made_and_the_quota_it_reserves_is_shown(cluster):
    acme = an_organization("acme", cpu=64)
    a_vdc("prod", organization=acme, limits={"cpu": 48})
    alice = browser("alice")
    plan = alice.fill("/vdcs/new/", live=True, organization=str(acme.pk), cpu="8", **VDC)
    assert "48 → 56 of 64 · 8 left" in text(plan)
    refused = alice.fill("/vdcs/new/", organization=str(acme.pk), cpu="32", **VDC)
    assert refused.status_code == 422
    assert "vCPU: 16 short in organization acme" in text(refused)
    missing = alice.fill("/vdcs/new/", organization=str(acme.pk), **VDC)
    assert "each of them needs one" in text(missing)
    given = VDC | {"cpu": "8", "memory_mib": "64Gi", "min_disk_gib": "1Gi", "max_disk_gib": "500Gi"}
    made = alice.fill("/vdcs/new/", organization=str(acme.pk), **given)
    dev = Vdc.objects.get(name="dev")
    assert made.headers["Location"] == f"/vdcs/{dev.pk}/"
    assert (dev.display_name, dev.min_disk_gib, dev.max_disk_gib) == ("dev", 1, 500)
    assert dev.quota.limits == {"cpu": 8, "memory_mib": 65536}


def test_limits_are_changed_not_below_what_is_in_use_unless_it_is_meant(cluster):
    dev = a_vdc("dev", limits={"cpu": 8, "memory_mib": 16384})
    a_vm(dev, catalog_item=an_item(cpu=4, memory_mib=4096))
    alice = browser("alice")
    address = f"/vdcs/{dev.pk}/edit/"
    given = {"display_name": "Dev", "enforcement": "allocated", "network_mode": "default", "memory_mib": "16Gi"}
    refused = alice.fill(address, cpu="2", **given)
    assert refused.status_code == 422
    for words in ("vCPU: 2 short in VDC dev", "8 → 2 · 2 over", "Even below what is in use"):
        assert words in text(refused)
    dev.quota.refresh_from_db()
    assert dev.quota.limits["cpu"] == 8
    assert alice.fill(address, cpu="2", allow_below_use="on", **given).status_code == 302
    dev.quota.refresh_from_db()
    assert dev.quota.limits == {"cpu": 2, "memory_mib": 16384}


def test_an_edit_that_shows_what_there_is_changes_nothing(cluster):
    """What the form is filled with is what it takes back: no unit is lost on the way."""
    dev = a_vdc("dev", limits={"cpu": 8, "memory_mib": 1500, "disk_gib": 2048, "disk_gib/fast": 20}, max_disk_gib=2048)
    alice = browser("alice")
    page = alice.get(f"/vdcs/{dev.pk}/edit/")
    shown = {field.name: field.value() for field in page.context["form"] if field.value() is not None}
    assert alice.fill(f"/vdcs/{dev.pk}/edit/", seen=page, **shown).status_code == 302
    after = Vdc.objects.select_related("quota").get(pk=dev.pk)
    assert (after.generation, after.quota.limits) == (dev.generation, dev.quota.limits)


def test_a_vdc_goes_with_its_name_and_with_what_is_in_it_only_if_told(cluster):
    dev = a_vdc("dev")
    vm = a_vm(dev, "web")
    alice = browser("alice")
    address = f"/vdcs/{dev.pk}/delete/"
    assert "In it now: 1 web" in text(alice.get(address))
    assert alice.fill(address, confirm="prod").status_code == 422
    held = alice.fill(address, confirm="dev")
    assert (held.status_code, "still holds 1 thing" in text(held)) == (409, True)
    assert alice.fill(address, confirm="dev", cascade="on").status_code == 302
    vm.refresh_from_db()
    assert vm.deletion_requested_at is not None


def test_what_tenants_made_by_themselves_goes_only_when_its_number_is_typed(cluster):
    dev = a_vdc("dev")
    condition = true("HoldsStrangers", "NotOurs", "The namespace acme-dev holds 2 objects that OVIM did not make.")
    dev.conditions = [{"type": condition.type, "message": condition.message}]
    dev.save(update_fields=["conditions"])
    alice = browser("alice")
    assert "holds 2 objects" in text(alice.get(f"/vdcs/{dev.pk}/delete/"))
    assert alice.fill(f"/vdcs/{dev.pk}/delete/", confirm="dev", strangers="2").status_code == 302
    dev.refresh_from_db()
    assert dev.strangers_to_delete == 2


@pytest.mark.parametrize("page", ["edit", "delete", "people"])
def test_foreign_vdcs_and_organizations_are_not_there(cluster, globex_main, page):
    QuotaScope.objects.create(organization=globex_main.organization, vdc=globex_main)
    alice = browser("alice")
    for address in (f"/vdcs/{globex_main.pk}/{page}/", f"/orgs/{globex_main.organization_id}/{page}/"):
        wanted = 403 if address.startswith("/orgs/") and page == "delete" else 404  # not her door at all
        assert (alice.get(address).status_code, alice.post(address, {"confirm": "main"}).status_code) == (
            wanted,
            wanted,
        )
    made = alice.post("/vdcs/new/", VDC | {"organization": str(globex_main.organization_id)})
    assert made.status_code == 422
    assert Vdc.objects.count() == 1


def test_a_vdc_admin_lives_within_limits_that_he_does_not_set(cluster):
    dev = a_vdc("dev")
    vera = browser("vera")
    page = vera.get(f"/vdcs/{dev.pk}/").content.decode()
    for verb in ("edit", "delete"):
        assert vera.get(f"/vdcs/{dev.pk}/{verb}/").status_code == 403
        assert f"/vdcs/{dev.pk}/{verb}/" not in page
    assert f"/vdcs/{dev.pk}/people/" in page


# Roles


def test_a_role_is_given_and_taken_on_the_page_of_the_vdc(cluster):
    dev, alice = a_vdc("dev"), browser("alice")
    eve = make_user("eve", home=dev.organization)
    address = f"/vdcs/{dev.pk}/people/"
    given = {"username": "Eve ", "role": "user", "place": f"vdc:{dev.pk}"}
    assert alice.fill(address, **given).status_code == 302
    binding = RoleBinding.objects.get(user=eve)
    assert (binding.role, binding.vdc_id) == ("user", dev.pk)
    assert "eve User acme / dev" in text(alice.get(address))
    assert "acme / dev" in text(alice.get(f"/people/{eve.pk}/"))
    twice = alice.fill(address, **given)
    assert (twice.status_code, "bound there already" in text(twice)) == (409, True)
    assert alice.fill(f"/roles/{binding.pk}/remove/").status_code == 302
    assert not RoleBinding.objects.filter(user=eve).exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"username": "charlie"}, "nobody of this user name"),
        ({"role": "org_admin"}, "not to a VDC"),
        ({"role": "system_admin"}, "not one of the available choices"),
        ({"place": "system"}, "not one of the available choices"),
        ({"place": "globex"}, "not one of the available choices"),
    ],
)
def test_a_role_that_is_not_ones_to_give_is_refused_at_its_field(cluster, globex_main, given, words):
    dev = a_vdc("dev")
    make_person("charlie")
    make_user("eve", home=dev.organization)
    before = RoleBinding.objects.count()
    if given.get("place") == "globex":
        given = {"place": f"vdc:{globex_main.pk}"}
    form = {"username": "eve", "role": "user", "place": f"vdc:{dev.pk}"} | given
    alice = browser("alice")
    answer = alice.fill(f"/orgs/{dev.organization_id}/people/", **form)
    assert (answer.status_code, words in text(answer)) == (422, True)
    assert RoleBinding.objects.count() == before + 1  # alice's own


def test_the_last_admin_can_not_be_taken_away(cluster, acme):
    alice = make_person("alice")
    binding = RoleBinding.objects.get(user=alice)
    answer = browser("root").fill(f"/roles/{binding.pk}/remove/")
    assert (answer.status_code, "last organization admin of acme" in text(answer)) == (409, True)
    assert RoleBinding.objects.filter(pk=binding.pk).exists()


def test_a_vdc_admin_sees_who_is_there_and_gives_nothing(cluster):
    dev = a_vdc("dev")
    bob = make_person("bob")
    vera = browser("vera")
    page = vera.get(f"/vdcs/{dev.pk}/people/")
    assert "bob User acme / dev" in text(page)
    assert 'name="role"' not in page.content.decode()
    given = {"username": "bob", "role": "vdc_admin", "place": f"vdc:{dev.pk}"}
    assert vera.post(f"/vdcs/{dev.pk}/people/", given).status_code == 403
    assert vera.get(f"/roles/{bob.bindings.get().pk}/remove/").status_code == 403
    assert RoleBinding.objects.filter(user=bob).count() == 1


def test_bindings_of_others_are_not_there(globex):
    charlie = make_person("charlie")
    alice = browser("alice")
    address = f"/roles/{charlie.bindings.get().pk}/remove/"
    assert (alice.get(address).status_code, alice.post(address, {}).status_code) == (404, 404)
    assert charlie.bindings.exists()


def test_a_system_admin_gives_roles_anywhere(cluster, acme):
    eve = make_user("eve", home=acme)
    root = browser("root")
    form = {"role": "org_admin", "place": f"organization:{acme.pk}"}
    assert root.fill(f"/people/{eve.pk}/roles/", **form).status_code == 302
    assert root.fill(f"/people/{eve.pk}/roles/", role="system_admin", place="system").status_code == 302
    assert set(eve.bindings.values_list("role", flat=True)) == {"org_admin", "system_admin"}
