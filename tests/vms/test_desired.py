"""Facts of a VM → whole manifests."""

import base64
from dataclasses import replace
from uuid import UUID

import pytest
import yaml

from clusters.apply import Owner
from clusters.refs import Ref
from vms.desired import user_data, virtual_machine, vm_objects
from vms.facts import DiskFacts, VmFacts

ID, ORG, VDC, DISK = (UUID(int=number) for number in (1, 2, 3, 4))
VM = VmFacts(
    id=ID,
    name="web",
    namespace="acme-dev",
    organization_id=ORG,
    vdc_id=VDC,
    cpu=2,
    memory_mib=2048,
    powered_on=True,
    disks=(DiskFacts(DISK, "web-disk-0", 0, 10, image_url="https://images.example.org/a.qcow2", checksum="sha256:ab"),),
    user_data="#cloud-config\nhostname: shop\n",
)
LABELS = {
    "app.kubernetes.io/name": "web",
    "app.kubernetes.io/instance": str(ID),
    "app.kubernetes.io/component": "virtual-machine",
    "app.kubernetes.io/part-of": "ovim",
    "ovim.io/organization": str(ORG),
    "ovim.io/vdc": str(VDC),
    "ovim.io/vm": str(ID),
}


def test_the_three_objects():
    secret, disk, machine = vm_objects(VM)
    assert secret.manifest == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "web-cloud-init", "namespace": "acme-dev", "labels": LABELS},
        "type": "Opaque",
        "data": {"userdata": base64.b64encode(VM.user_data.encode()).decode()},
    }
    assert disk.manifest == {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {
            "name": "web-disk-0",
            "namespace": "acme-dev",
            "labels": LABELS,
            "annotations": {"cdi.kubevirt.io/storage.deleteAfterCompletion": "false"},
        },
        "spec": {
            "source": {"http": {"url": "https://images.example.org/a.qcow2", "checksum": "sha256:ab"}},
            "storage": {"resources": {"requests": {"storage": "10Gi"}}},
        },
    }
    assert machine.manifest == {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "web", "namespace": "acme-dev", "labels": LABELS},
        "spec": {
            "runStrategy": "Always",
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "domain": {
                        "cpu": {"cores": 2},
                        "memory": {"guest": "2Gi"},
                        "devices": {
                            "disks": [
                                {"name": "disk-0", "disk": {"bus": "virtio"}, "bootOrder": 1},
                                {"name": "cloud-init", "disk": {"bus": "virtio"}},
                            ],
                            "interfaces": [{"name": "default", "masquerade": {}, "model": "virtio"}],
                        },
                    },
                    "networks": [{"name": "default", "pod": {}}],
                    "volumes": [
                        {"name": "disk-0", "dataVolume": {"name": "web-disk-0"}},
                        {"name": "cloud-init", "cloudInitNoCloud": {"secretRef": {"name": "web-cloud-init"}}},
                    ],
                },
            },
        },
    }


def test_disks_come_before_their_vm_and_belong_to_themselves():
    _secret, disk, machine = vm_objects(VM)
    ref = Ref("kubevirt.io", "VirtualMachine", "acme-dev", "web")
    assert (disk.before, disk.data_of, machine.after, machine.data_of) == (
        ref, Owner("disk", DISK), (disk.ref,), None,
    )  # fmt: skip


def test_a_vm_that_is_off_or_held_is_halted():
    page = replace(VM.disks[0], no_image="http://x/a answers with an HTML page, not with a disk image.")
    for vm in (replace(VM, powered_on=False), replace(VM, held=True), replace(VM, disks=(page,))):
        assert virtual_machine(vm)["spec"]["runStrategy"] == "Halted"


def test_a_blank_disk_of_a_class():
    disk = DiskFacts(DISK, "data", 1, 5, storage_class="fast")
    spec = vm_objects(replace(VM, disks=(disk,)))[1].manifest["spec"]
    assert spec == {
        "source": {"blank": {}},
        "storage": {"resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "fast"},
    }


def test_keys_join_what_was_given():
    text = user_data(replace(VM, user_data="#cloud-config\nssh_authorized_keys: [one]\n", ssh_keys=("two",)))
    assert text.startswith("#cloud-config\n")
    assert yaml.safe_load(text) == {"ssh_authorized_keys": ["one", "two"], "hostname": "web"}
    assert yaml.safe_load(user_data(replace(VM, user_data=""))) == {"hostname": "web"}


def test_nothing_that_is_not_ours_to_set():
    domain = virtual_machine(VM)["spec"]["template"]["spec"]["domain"]
    assert not {"firmware", "machine", "resources"} & set(domain)


@pytest.mark.parametrize(
    "name",
    ["web", "a", "y", "yes", "on", "null", "true", "nan", "inf", "e5", "1e3", "0x1f", "123", "x-1", "no-1", "1-2"],
)
def test_a_host_is_called_what_its_machine_is_called_whatever_yaml_makes_of_that(name: str) -> None:
    """Written as the dumper would, so that a release that asks it for more, or less, changes nobody's Secret."""
    text = user_data(replace(VM, name=name, user_data=""))
    assert yaml.safe_load(text) == {"hostname": name}
    assert text == "#cloud-config\n" + yaml.safe_dump({"hostname": name})
