"""A deletion that is carried out at once is answered like any other."""

import pytest

from clusters import wakeup
from tests.cast import Api, make_person, session_of
from tests.domain import a_vdc, a_vm
from vdcs.models import NamespaceAccess, QuotaClaim, Vdc
from vms.models import Disk, VirtualMachine


@pytest.fixture
def alice(live_db):
    return Api(session_of(make_person("alice")))


def drop_at_once(monkeypatch, *models):
    """As a worker does that is quicker than the request's way back."""
    monkeypatch.setattr(wakeup, "send", lambda cluster_id: [model.objects.all().delete() for model in models])


def test_a_machine_that_is_gone_before_the_answer_is_read_is_accepted_and_not_unknown(alice, monkeypatch):
    vm = a_vm(a_vdc())
    pk = str(vm.pk)
    drop_at_once(monkeypatch, QuotaClaim, Disk, VirtualMachine)
    answer = alice.delete(f"vms/{pk}")
    assert (answer.status_code, answer.json()["id"], answer.json()["deletion_requested_at"] is not None) == (
        202,
        pk,
        True,
    )
    assert not VirtualMachine.objects.exists()
    assert alice.delete(f"vms/{pk}").status_code == 404


def test_so_is_a_vdc(alice, monkeypatch):
    vdc = a_vdc()
    pk = str(vdc.pk)
    drop_at_once(monkeypatch, QuotaClaim, NamespaceAccess, Vdc)
    answer = alice.delete(f"vdcs/{pk}")
    assert (answer.status_code, answer.json()["id"]) == (202, pk), answer.content
    assert not Vdc.objects.exists()
