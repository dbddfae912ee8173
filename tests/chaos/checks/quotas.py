"""No quota is overshot: not by the rows, not by the ledger, not by what is in the cluster."""

from collections import Counter, defaultdict
from uuid import UUID

from clusters.refs import Ref
from core import quantities
from tests.chaos.picture import Picture, Row
from vdcs import quotas


def hold(picture: Picture) -> list[str]:
    """What is live in each VDC's namespace against the VDC's limits. A drifted VM counts as its row says."""
    found = []
    for row in picture.of_kind("vdc"):
        scope = next(scope for scope in picture.scopes if scope.vdc_id == row.id)
        for name, used in _live_use(picture, row).items():
            if name in scope.limits and used > scope.limits[name]:
                found.append(f"{row}: in the cluster {used} {name} are used, the limit is {scope.limits[name]}")
    return found


def _live_use(picture: Picture, vdc: Row) -> Counter[str]:
    use: Counter[str] = Counter()
    for row in picture.of_kind("vm"):
        vm = row.row
        live = picture.live.get(Ref("kubevirt.io", "VirtualMachine", vm.vdc.namespace, vm.name))
        if vm.vdc_id != vdc.id or live is None or row.says("NameTaken"):
            continue
        domain = live["spec"]["template"]["spec"]["domain"]
        on = live["spec"].get("runStrategy") != "Halted"
        use["vms"] += 1
        use["running_vms"] += on
        if on or vdc.row.enforcement == "allocated":
            drifted = bool(row.says("Drifted"))
            use["cpu"] += vm.cpu if drifted else domain["cpu"]["cores"]
            use["memory_mib"] += vm.memory_mib if drifted else quantities.mebibytes(domain["memory"]["guest"])
    for live in picture.in_namespace("DataVolume", vdc.row.namespace):
        use["disk_gib"] += quantities.gibibytes(live["spec"]["storage"]["resources"]["requests"]["storage"])
    return use


def ledger_is_exact(picture: Picture) -> list[str]:
    """Totals are sums of claims; claims are what the rows say, each once; none belongs to a row that is gone."""
    found = [text for scope in picture.scopes for text in quotas.recount(scope.pk)]
    claimed: dict[tuple[str, UUID], dict[str, tuple[int, int]]] = defaultdict(dict)
    for claim in picture.claims:
        claimed[claim.owner_kind, claim.owner_id][claim.resource] = (claim.allocated, claim.active)
    for row in picture.of_kind("vm"):
        vm = row.row
        on = 1 if vm.power_state == "on" else 0
        have = claimed.pop(("vm", row.id), {})
        active = have.get("running_vms", (0, 0))[1]
        want = {
            "cpu": (vm.cpu, vm.cpu * active),
            "memory_mib": (vm.memory_mib, vm.memory_mib * active),
            "vms": (1, 0),
            "running_vms": (0, active),
        }
        if have != want or active < on or (active > on and not row.deleting and not row.troubles):
            found.append(f"{row} (power {vm.power_state}) claims {have}, should claim {want}")
        for disk in vm.disks.all():
            have = claimed.pop(("disk", disk.pk), {})
            if have != {"disk_gib": (disk.size_gib, 0)}:
                found.append(f"{row}: its disk of {disk.size_gib} GiB claims {have}")
    found += [f"{kind} {pk} claims {have} and is gone" for (kind, pk), have in claimed.items()]
    return found
