"""`ovim diff KIND/NAME`: what somebody made otherwise in the cluster, without a file."""

import json
from typing import Any
from uuid import uuid4

import pytest

from clusters.models import Installation, InventoryItem, ObservedObject
from clusters.reconcile import changes_of
from tests.cast import make_person
from tests.domain import a_vm
from vms import desired, selectors
from vms.models import Disk, VirtualMachine


@pytest.fixture
def web(vdc, item) -> VirtualMachine:
    vm = a_vm(vdc, "web", catalog_item=item)
    VirtualMachine.objects.filter(pk=vm.pk).update(owner=None)
    return vm


def applied(vm, **fields) -> None:
    """As if it had been applied, and somebody had then changed these fields of its domain."""
    row = next(iter(selectors.load([vm.pk])))
    for wanted in desired.vm_objects(selectors.facts(row)):
        owner = {"owner_kind": "vm", "owner_id": vm.pk, "cluster_id": vm.vdc.cluster_id, "uid": uuid4()}
        about = {"data_of_kind": "disk", "data_of_id": Disk.objects.get(vm=vm).pk}
        ref = wanted.ref
        key = {"group": ref.group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
        InventoryItem.objects.create(**owner, **about, **key, applied_hash=wanted.digest, owned_hash="ours")
        if not ref.type.watched:
            continue
        body = json.loads(json.dumps(wanted.manifest))
        body["metadata"]["annotations"] = {"ovim.io/applied": wanted.digest}
        installation = str(Installation.objects.get().pk)
        body["metadata"]["labels"] |= {"app.kubernetes.io/managed-by": "ovim", "ovim.io/installation": installation}
        ours = "ours"
        if fields and ref.kind == "VirtualMachine":
            body["spec"]["template"]["spec"]["domain"].update(fields)
            leaf: dict[str, Any] = {f"f:{name}": {} for name in fields}
            entry = {"f:spec": {"f:template": {"f:spec": {"f:domain": leaf}}}}
            body["metadata"]["managedFields"] = [{"manager": "kubectl", "operation": "Update", "fieldsV1": entry}]
            ours = "less"
        ObservedObject.objects.create(
            cluster_id=vm.vdc.cluster_id, **key, uid=owner["uid"], resource_version=1, body=body, owned_hash=ours
        )
    assert changes_of(row)


def test_what_differs_is_told_and_the_exit_code_says_so(ovim, server, vdc, web):
    applied(web, cpu={"cores": 7})
    make_person("vera")
    assert ovim.login(server, "vera").returncode == 0
    done = ovim("diff", "vm/web")
    assert done.returncode == 9, done.stderr
    assert "spec.template.spec.domain.cpu.cores: wanted 1, there 7 (kubectl)" in done.stdout
    assert "OVIM takes nothing from others here by itself" in done.stdout
    assert "Secret web-cloud-init" in done.stderr
    found = json.loads(ovim("diff", "vm", "web", "-o", "json").stdout)
    assert found["differs"] is True
    assert found["objects"][0]["fields"][0]["live"] == 7


def test_what_is_as_wanted_is_exit_code_0(root, vdc, web):
    applied(web)
    done = root("diff", "vm/web")
    assert (done.returncode, done.stdout) == (0, ""), done.stdout
    assert "is as wanted" in done.stderr


def test_what_can_not_be_compared_is_a_usage_error(bob):
    assert "Of what?" in bob.refused(2, "diff")
    assert "Of what?" in bob.refused(2, "diff", "vm/web", "-f", "x.yaml")
    assert "not in a cluster" in bob.refused(2, "diff", "user/bob")
    assert "There is no vm" in bob.refused(3, "diff", "vm/none")
