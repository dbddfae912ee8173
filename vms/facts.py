"""What a VM's desired state is built from. Pure."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True)
class DiskFacts:
    """A disk of a VM. Without an image address it is blank.

    `no_image`: what its image was seen to be instead of one. `remake`: the uid of the lost one that it replaces by order.
    `bare`: an adopted PersistentVolumeClaim without a DataVolume.
    """

    id: UUID
    name: str
    position: int
    size_gib: int
    image_url: str = ""
    checksum: str = ""
    storage_class: str = ""
    no_image: str = ""
    remake: UUID | None = None
    bare: bool = False


@dataclass(frozen=True)
class VmFacts:
    """A VM with its place, its disks and its intent. `held`: a disk is lost, so it must not be started.

    `adopted`: the spec that it had when it was adopted, as JSON; empty: OVIM made it.
    """

    id: UUID
    name: str
    namespace: str
    organization_id: UUID
    vdc_id: UUID
    cpu: int
    memory_mib: int
    powered_on: bool
    disks: tuple[DiskFacts, ...] = ()
    user_data: str = ""
    ssh_keys: tuple[str, ...] = ()
    held: bool = False
    adopted: str = ""

    @property
    def startable(self) -> bool:
        """A disk that is lost, or was filled from what is no disk image, keeps a VM from being started."""
        return not self.held and not any(disk.no_image for disk in self.disks)
