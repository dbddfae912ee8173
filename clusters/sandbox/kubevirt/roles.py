"""KubeVirt's ClusterRoles for tenants: they add to the built-in admin, edit and view (k8s-transcript 13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusters.sandbox import rbac, rbac_seed

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

MANAGER = "virt-operator"
READ, WRITE = "get,list,watch", "get,delete,create,update,patch,list,watch"
OBJECTS = """
{verbs} kubevirt.io virtualmachines,virtualmachineinstances,virtualmachineinstancepresets,
  virtualmachineinstancereplicasets{more}
{verbs} snapshot.kubevirt.io virtualmachinesnapshots,virtualmachinesnapshotcontents,virtualmachinerestores
{verbs} backup.kubevirt.io virtualmachinebackups,virtualmachinebackuptrackers
{verbs} export.kubevirt.io virtualmachineexports
{verbs} clone.kubevirt.io virtualmachineclones
{verbs} instancetype.kubevirt.io virtualmachineinstancetypes,virtualmachineclusterinstancetypes,
  virtualmachinepreferences,virtualmachineclusterpreferences
{verbs} pool.kubevirt.io virtualmachinepools
"""
ORDERS = """
get subresources.kubevirt.io virtualmachineinstances/console,virtualmachineinstances/vnc,
  virtualmachineinstances/portforward,virtualmachineinstances/guestosinfo,virtualmachineinstances/filesystemlist,
  virtualmachineinstances/userlist,virtualmachineinstances/sev/fetchcertchain,
  virtualmachineinstances/sev/querylaunchmeasurement,virtualmachineinstances/usbredir,virtualmachines/objectgraph,
  virtualmachineinstances/objectgraph
update subresources.kubevirt.io virtualmachineinstances/pause,virtualmachineinstances/unpause,
  virtualmachineinstances/addvolume,virtualmachineinstances/removevolume,virtualmachineinstances/freeze,
  virtualmachineinstances/unfreeze,virtualmachineinstances/softreboot,virtualmachineinstances/reset,
  virtualmachineinstances/sev/setupsession,virtualmachineinstances/sev/injectlaunchsecret,
  virtualmachineinstances/evacuate/cancel
get subresources.kubevirt.io virtualmachines/expand-spec,virtualmachines/portforward
update subresources.kubevirt.io virtualmachines/start,virtualmachines/stop,virtualmachines/restart,
  virtualmachines/addvolume,virtualmachines/removevolume,virtualmachines/memorydump,virtualmachines/removememorydump,
  virtualmachines/evacuate/cancel
update subresources.kubevirt.io expand-vm-spec
"""
EDIT_ALSO = """
get,list,watch kubevirt.io virtualmachineinstancemigrations
get,list kubevirt.io kubevirts
get,list,watch migrations.kubevirt.io migrationpolicies
"""
LOOKS = """
get subresources.kubevirt.io virtualmachines/expand-spec,virtualmachineinstances/guestosinfo,
  virtualmachineinstances/filesystemlist,virtualmachineinstances/userlist,virtualmachineinstances/sev/fetchcertchain,
  virtualmachineinstances/sev/querylaunchmeasurement,virtualmachines/objectgraph,virtualmachineinstances/objectgraph
"""


def plant(cluster: Cluster) -> None:
    edit = ORDERS + OBJECTS.format(verbs=WRITE, more="").lstrip() + EDIT_ALSO.lstrip()
    view = LOOKS + OBJECTS.format(verbs=READ, more=",virtualmachineinstancemigrations").lstrip()
    admin = ORDERS + OBJECTS.format(verbs=f"{WRITE},deletecollection", more="").lstrip() + EDIT_ALSO.lstrip()
    for name, text in (("admin", admin), ("edit", edit), ("view", view)):
        labels = {"kubevirt.io": "", rbac_seed.AGGREGATE + name: "true"}
        role = {"metadata": {"name": f"kubevirt.io:{name}", "labels": labels}, "rules": rbac_seed.rules_of(text)}
        if cluster.store.get(rbac.CLUSTER_ROLES, f"kubevirt.io:{name}") is None:
            cluster.create(rbac.CLUSTER_ROLES, role, manager=MANAGER)
