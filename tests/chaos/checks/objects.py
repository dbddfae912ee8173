"""Desired equals live, object for object and field for field; and the main facts once more, in plain words."""

from collections.abc import Iterator

from clusters.apply import Wanted, differences
from clusters.refs import Ref
from core import quantities
from tenancy.models import RoleBinding, RoleName
from tests.chaos.kubectl import Object
from tests.chaos.picture import Picture, Row, is_ours
from vdcs.models import Vdc


def desired_is_live(picture: Picture) -> list[str]:
    """By the product's own builders. What a row's conditions own up to is left to `conditions.are_true`."""
    return [found for row in picture.rows if not row.deleting for found in _of_row(picture, row)]


def _of_row(picture: Picture, row: Row) -> Iterator[str]:
    for wanted in row.wanted:
        live = picture.live.get(wanted.ref)
        if _is_owned_up_to(picture, row, wanted, live):
            continue
        if live is None:
            if not _is_spent(picture, wanted):
                yield f"{row}: {wanted.ref} is missing"
        elif not _is_the_rows(picture, row, live):
            yield f"{row}: {wanted.ref} is not OVIM's"
        else:
            for item in differences(wanted.manifest, live):
                yield f"{row}: {wanted.ref} {item.path} is {item.old!r}, wanted {item.new!r}"


def _is_owned_up_to(picture: Picture, row: Row, wanted: Wanted, live: Object | None) -> bool:
    """The row says itself that this object is not as wanted, by name, in the one way that the object is wrong."""
    words = " ".join(row.says(type_) for type_ in row.troubles).replace(";", " ").replace(":", " ").split()
    place = str(wanted.ref).partition(" ")[2]
    if place not in {word.rstrip(".,") for word in words} and not _waits_for_another(row, wanted):
        return False
    if live is None or not _is_the_rows(picture, row, live):
        return bool(row.says("NameTaken") or (row.says("DiskLost") and wanted.ref.type.keeps_data))
    return bool(row.says("Drifted")) and wanted.ref.kind == "VirtualMachine"


def _is_the_rows(picture: Picture, row: Row, live: Object) -> bool:
    """By its uid: of what has drifted the marks may be gone, too, and can't be put back before the drift is settled."""
    return live["metadata"]["uid"] in {str(item.uid) for item in picture.held(row)} or is_ours(live)


def _waits_for_another(row: Row, wanted: Wanted) -> bool:
    """Never made, because what it needs first has its name taken."""
    taken = row.says("NameTaken")
    return any(str(ref) in taken for ref in (*wanted.after, *wanted.first))


def _is_spent(picture: Picture, wanted: Wanted) -> bool:
    """A DataVolume that is gone has left its volume behind: that is the disk."""
    ref = wanted.ref
    return ref.kind == "DataVolume" and Ref("", "PersistentVolumeClaim", ref.namespace, ref.name) in picture.live


def nothing_is_left_to_do(picture: Picture) -> list[str]:
    """Every row was seen as it is now; what is deleted is gone, but for what says why it can't be."""
    found = []
    for row in picture.rows:
        kept = row.says("HoldsStrangers") or row.says("Unproven")
        if row.kind == "placed-organization" and row.deleting:
            kept = kept or "its VDCs"
        if row.deleting and not kept and not _holds_what_is_kept(picture, row):
            found.append(f"{row} is to be deleted and still there: {row.row.conditions}")
        if not row.deleting and row.row.observed_generation != row.row.generation:
            found.append(f"{row}: generation {row.row.generation}, observed {row.row.observed_generation}")
    known = {row.id for row in picture.rows}
    idle = (item for item in picture.work if item.object_id not in known)
    return found + [f"work on {item.kind} {item.object_id}, which is gone" for item in idle]


def _holds_what_is_kept(picture: Picture, row: Row) -> bool:
    """A VDC waits for the VMs in it that can't go."""
    return row.kind == "vdc" and any(
        vm.row.vdc_id == row.id and vm.deleting and vm.says("Unproven") for vm in picture.of_kind("vm")
    )


# --- once more, without the product's builders ---------------------------------------------------------------------


def in_plain_words(picture: Picture) -> list[str]:
    found: list[str] = []
    for row in picture.rows:
        if row.deleting or row.troubles:
            continue
        if row.kind == "vm":
            found += [f"{row}: {text}" for text in _machine(picture, row)]
        elif row.kind == "vdc":
            found += [f"{row}: {text}" for text in _space(picture, row)]
    return found


def _machine(picture: Picture, row: Row) -> Iterator[str]:
    vm, namespace = row.row, row.row.vdc.namespace
    live = picture.live.get(Ref("kubevirt.io", "VirtualMachine", namespace, vm.name))
    if live is None:
        yield "there is no VirtualMachine"
        return
    spec = live["spec"]
    domain = spec["template"]["spec"]["domain"]
    disks = sorted(disk.name for disk in vm.disks.all())
    facts = {
        "cores": (domain["cpu"]["cores"], vm.cpu),
        "memory": (quantities.mebibytes(domain["memory"]["guest"]), vm.memory_mib),
        "runStrategy": (spec["runStrategy"], {"on": "Always", "off": "Halted"}[vm.power_state]),
        "its id": (live["metadata"]["labels"].get("ovim.io/vm"), str(vm.pk)),
        "disks": (
            sorted(item["dataVolume"]["name"] for item in spec["template"]["spec"]["volumes"] if "dataVolume" in item),
            disks,
        ),
    }
    for disk in vm.disks.all():
        claim = picture.live.get(Ref("", "PersistentVolumeClaim", namespace, disk.name))
        volume = picture.live.get(Ref("cdi.kubevirt.io", "DataVolume", namespace, disk.name))
        if claim is None:
            yield f"the disk {disk.name} has no volume"
        if volume is not None:
            size = volume["spec"]["storage"]["resources"]["requests"]["storage"]
            facts[f"size of {disk.name}"] = (size, f"{disk.size_gib}Gi")
    yield from (f"{name} is {have!r}, not {want!r}" for name, (have, want) in facts.items() if have != want)


def _space(picture: Picture, row: Row) -> Iterator[str]:
    vdc, namespace = row.row, row.row.namespace
    limits = next(scope.limits for scope in picture.scopes if scope.vdc_id == vdc.pk)
    quota = picture.live.get(Ref("", "ResourceQuota", namespace, "ovim-quota"))
    hard = quota["spec"]["hard"] if quota else {}
    if "vms" in limits and hard.get("count/virtualmachines.kubevirt.io") != str(limits["vms"]):
        yield f"its ResourceQuota counts {hard.get('count/virtualmachines.kubevirt.io')} VMs, not {limits['vms']}"
    if "cpu" in limits and not int(hard.get("requests.cpu", 0)) > 2 * limits["cpu"]:
        yield f"its ResourceQuota allows {hard.get('requests.cpu')} CPUs, which is not above twice {limits['cpu']}"
    policy = picture.live.get(Ref("networking.k8s.io", "NetworkPolicy", namespace, "ovim-network"))
    if policy is None:
        yield "it has no NetworkPolicy"
        return
    sources = [peer["namespaceSelector"]["matchExpressions"][0]["values"]
               for rule in policy["spec"].get("ingress", ()) for peer in rule.get("from", ({},)) if peer]  # fmt: skip
    if sources != [[namespace]] or any(not rule.get("from") for rule in policy["spec"]["ingress"]):
        yield f"its NetworkPolicy lets in {policy['spec'].get('ingress')}"
    if ("Egress" in policy["spec"]["policyTypes"]) != (vdc.network_mode == "isolated"):
        yield f"its network is {vdc.network_mode}, its policy is for {policy['spec']['policyTypes']}"
    yield from _people(picture, vdc)


PEOPLE = {RoleName.ORG_ADMIN: "ovim-org-admin", RoleName.VDC_ADMIN: "ovim-vdc-admin", RoleName.USER: "ovim-user"}


def _people(picture: Picture, vdc: Vdc) -> Iterator[str]:
    """Each has one role, in the VDC or in its whole organization."""
    want: dict[str, set[str]] = {}
    for item in RoleBinding.objects.filter(organization=vdc.organization).select_related("user"):
        if item.user is not None and vdc.organization.enabled and item.user.is_active and item.vdc_id in (None, vdc.pk):
            want.setdefault(PEOPLE[RoleName(item.role)], set()).add(f"oidc:{item.user.username}")
    have = {
        live["metadata"]["name"]: {subject["name"] for subject in live["subjects"]}
        for live in picture.in_namespace("RoleBinding", vdc.namespace)
        if is_ours(live) and live["metadata"]["name"] != "ovim-vm-start"
    }
    if have != want:
        yield f"its RoleBindings are {have}, not {want}"
