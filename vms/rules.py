"""Rules of a VM's own that need no look at anything else: sizes, keys, user data. They name the field as people write it."""

from collections.abc import Sequence

from catalogs.cloudinit import BadCloudInit, check_ssh_key, check_user_data
from core.errors import FieldError, Invalid

# KubeVirt itself takes more; a number beyond these is a slip of the pen.
MOST_CPU, MOST_MEMORY_MIB, MOST_DISK_GIB = 512, 16 * 1024 * 1024, 64 * 1024
LEAST_MEMORY_MIB = 32
MOST_SSH_KEYS = 32


def check_size(*, cpu: int, memory_mib: int) -> None:
    errors = []
    if not 1 <= cpu <= MOST_CPU:
        errors.append(FieldError("cpu", "range", f"cpu must be from 1 to {MOST_CPU}."))
    if not LEAST_MEMORY_MIB <= memory_mib <= MOST_MEMORY_MIB:
        errors.append(
            FieldError("memory_mib", "range", f"memory_mib must be from {LEAST_MEMORY_MIB} to {MOST_MEMORY_MIB}.")
        )
    if errors:
        raise Invalid(errors[0].message, errors=errors)


def check_topology(cpu: int, factor: int) -> None:
    """An adopted machine keeps its sockets and threads: only its cores change."""
    if cpu % factor:
        message = f"cpu must be a multiple of {factor}: it was adopted with so many threads for each core."
        raise Invalid.field("cpu", "topology", message)


def check_disk(size_gib: int, *, image_gib: int, least: int | None, most: int | None) -> None:
    """`image_gib`: what the image needs; `least`, `most`: what the VDC allows."""
    lower, upper = max(1, least or 1), min(MOST_DISK_GIB, most or MOST_DISK_GIB)
    if not lower <= size_gib <= upper:
        raise Invalid.field("disk_gib", "range", f"Disks in this VDC have from {lower} to {upper} GiB.")
    if size_gib < image_gib:
        raise Invalid.field("disk_gib", "image_size", f"The image needs a disk of at least {image_gib} GiB.")


def check_storage_class(
    storage_class: str, *, limited: Sequence[str], cluster: str, known: Sequence[str] | None
) -> None:
    """The cluster's default class may be a limited one, so it has to be named where any is.

    `known`: the classes that the cluster was last seen to have; None if it was not looked at.
    """
    if storage_class and known is not None and storage_class not in known:
        message = f"The cluster {cluster} has no storage class {storage_class!r}. It has: {', '.join(known) or 'none'}."
        raise Invalid.field("storage_class", "not_found", message)
    if limited and not storage_class:
        message = f"Name the storage class: there are limits on {', '.join(limited)} here."
        raise Invalid.field("storage_class", "required", message)


def check_cloud_init(user_data: str, ssh_keys: Sequence[str]) -> None:
    errors = []
    if len(ssh_keys) > MOST_SSH_KEYS:
        errors.append(FieldError("ssh_keys", "max_length", f"At most {MOST_SSH_KEYS} keys are given."))
    for index, key in enumerate(ssh_keys[:MOST_SSH_KEYS]):
        try:
            check_ssh_key(key)
        except BadCloudInit as error:
            errors.append(FieldError(f"ssh_keys[{index}]", "ssh_key", str(error)))
    try:
        check_user_data(user_data)
    except BadCloudInit as error:
        errors.append(FieldError("user_data", "cloud_init", f"user_data: {error}"))
    if errors:
        raise Invalid(errors[0].message, errors=errors)
