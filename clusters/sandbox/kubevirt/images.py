"""Pulling container images on a node: all there are can be had, except those on order and hosts that can't exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clusters.sandbox.cluster import Cluster

Object = dict[str, Any]


def references(pod: Object) -> dict[str, str]:
    """Image by container or image volume name."""
    spec = pod["spec"]
    found = {item["name"]: item["image"] for key in ("initContainers", "containers") for item in spec.get(key) or []}
    for volume in spec.get("volumes") or []:
        image = (volume.get("image") or {}).get("reference")
        if image:
            found[volume["name"]] = image
    return found


class Images:
    def __init__(self, cluster: Cluster) -> None:
        self.missing: set[str] = set()
        cluster.register_control("image", self.order)

    def order(self, order: Object) -> Object:
        image, state = str(order.get("image", "")), order.get("state")
        if not image or state not in ("missing", "back"):
            raise ValueError("an image order names an image and a state, missing or back")
        if state == "missing":
            self.missing.add(image)
        else:
            self.missing.discard(image)
        return {"missing": sorted(self.missing)}

    def problem(self, pod: Object) -> tuple[str, str] | None:
        """(image, why it can't be pulled) of the first one that can't."""
        for image in references(pod).values():
            host = image.partition("/")[0]
            if host.partition(":")[0].endswith(".invalid"):  # RFC 2606: such a name never resolves, anywhere
                return image, f'failed to do request: Head "https://{host}/v2/": dial tcp: lookup {host}: no such host'
            if image in self.missing:
                return image, f"failed to resolve reference {image!r}: {image}: not found".replace("'", '"')
        return None
