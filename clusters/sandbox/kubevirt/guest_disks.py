"""The file systems a guest sees: what its agent tells, and what the metrics say about them."""

from __future__ import annotations

from typing import Any

from clusters.sandbox.cdi.claims import Look, size_of
from clusters.sandbox.kubevirt.launcher import claims
from clusters.sandbox.kubevirt.load import Load

Object = dict[str, Any]
IMAGE_SIZE = 5 * 1024**3  # of a disk that comes with a container image


def file_systems(look: Look, vmi: Object) -> list[Object]:
    """The root file system on the first disk, every further claim under /data."""
    found: list[Object] = []
    load, places = Load(vmi), claims(vmi["spec"])
    for index, volume in enumerate(vmi["spec"].get("volumes") or []):
        if not {"containerDisk", "dataVolume", "persistentVolumeClaim"} & volume.keys():
            continue
        claim = look("persistentvolumeclaims", vmi["metadata"]["namespace"], places.get(volume["name"], ""))
        total = size_of(claim) if claim else IMAGE_SIZE
        found.append(
            {
                "diskName": f"vd{chr(ord('a') + index % 26)}1",
                "mountPoint": "/" if not found else f"/data/{volume['name']}",
                "fileSystemType": "btrfs" if not found else "xfs",
                "usedBytes": load.used(volume["name"], total),
                "totalBytes": total,
                "disk": [{"busType": "virtio"}],
            }
        )
    return found
