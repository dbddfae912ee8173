"""A suspended machine or VDC says so in its list, its panel and its page: since when, why, and by whom for who may know."""

import pytest

from clusters import operations
from tests.cast import actor_of, make_person
from tests.domain import a_vdc, a_vm
from tests.portal import text
from tests.test_permissions import signed_in

pytestmark = pytest.mark.django_db


def test_it_is_said_wherever_it_is_shown(cluster):
    vdc = a_vdc()
    vm = a_vm(vdc, "web", actor=actor_of(make_person("bob")))
    root = actor_of(make_person("root"))
    assert "Suspended" not in text(signed_in("alice").get("/vms/"))
    for row in (vm, vdc):
        operations.suspend(actor=root, row=row, reason="moving its storage")
    for who, name in (("alice", "root"), ("bob", "a system admin")):
        client = signed_in(who)
        for address in (f"/vms/{vm.pk}/", f"/vdcs/{vdc.pk}/", f"/vms/?peek={vm.pk}"):
            assert f"Suspended by {name}, 0 s ago: moving its storage" in text(client.get(address)).replace(
                "\N{NO-BREAK SPACE}", " "
            ), (who, address)
        for address in ("/vms/", "/vdcs/", "/"):
            assert "Suspended" in text(client.get(address)), (who, address)
    for row in (vm, vdc):
        row.refresh_from_db()
        operations.resume(actor=root, row=row)
    for address in (f"/vms/{vm.pk}/", f"/vdcs/{vdc.pk}/", "/vms/", "/vdcs/"):
        assert "Suspended by" not in text(signed_in("alice").get(address))
    assert "suspended it" in text(signed_in("alice").get("/activity/"))
