"""A size is changed only while nothing of the VM can run: the ledger says that, not the phase."""

import pytest

from core.errors import Conflict
from tests.domain import OVIM, a_vdc, a_vm
from vdcs.models import QuotaScope
from vms.models import VirtualMachine
from vms.services import edit_vm, release_active, set_power

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("phase", ["Stopped", "Failed"])
def test_what_may_still_run_is_not_resized_whatever_its_phase(phase):
    vdc = a_vdc()
    vm = set_power(actor=OVIM, vm=a_vm(vdc), on=False)
    VirtualMachine.objects.update(phase=phase)
    with pytest.raises(Conflict):
        edit_vm(actor=OVIM, vm=vm, changes={"cpu": 2})
    assert QuotaScope.objects.get(vdc=vdc).active["cpu"] == 1
    release_active(vm=vm, expected_generation=vm.generation)
    assert edit_vm(actor=OVIM, vm=vm, changes={"cpu": 2}).cpu == 2
