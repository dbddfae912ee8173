"""Disk images: telling what a file is from its bytes, and making a small valid qcow2 to import.

Source: the qcow2 specification (docs/interop/qcow2 of QEMU): big-endian header, L1 and L2 tables, refcounts.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

QCOW2_MAGIC = b"QFI\xfb"
MAGICS = (
    (QCOW2_MAGIC, "qcow2"),
    (b"\x1f\x8b", "gz"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"KDMV", "vmdk"),
    (b"conectix", "vpc"),
    (b"vhdxfile", "vhdx"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"QED\x00", "qed"),
)
HEADER = struct.Struct(">4sIQIIQIIQQIIQQQQII")  # version 3, up to and with header_length
CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
COPIED = 1 << 63
OFFSET_MASK = 0x00FFFFFFFFFFFE00
COMPRESSED = 1 << 62


class ImageError(Exception):
    """The bytes are not the image they should be."""


@dataclass(frozen=True)
class Image:
    """What a file holds: format and the size a guest would see."""

    format: str
    virtual_size: int


def kind_of(head: bytes) -> str:
    """The format by its first bytes; anything unknown is raw, as qemu-img says too."""
    return next((name for magic, name in MAGICS if head.startswith(magic)), "raw")


def inspect(file: BinaryIO) -> Image:
    """Format and virtual size; raises ImageError for formats CDI refuses and for qcow2 files that are cut off."""
    length = file.seek(0, os.SEEK_END)
    file.seek(0)
    kind = kind_of(file.read(16))
    if kind == "raw":
        return Image("raw", length)
    if kind == "qcow2":
        return Image("qcow2", _check_qcow2(file, length))
    raise ImageError(f"Invalid format {kind} for image nbd+unix:///?socket=/tmp/nbdkit.sock")


def _check_qcow2(file: BinaryIO, length: int) -> int:
    """The virtual size of a qcow2 whose every referenced cluster lies inside the file."""
    file.seek(0)
    head = file.read(HEADER.size)
    if len(head) < 72:
        raise ImageError("could not read qcow2 header: unexpected EOF")
    fields = HEADER.unpack(head.ljust(HEADER.size, b"\0"))
    version, backing, bits, size, l1_entries, l1_offset = (fields[i] for i in (1, 2, 4, 5, 7, 8))
    if version not in (2, 3) or not 9 <= bits <= 21:
        raise ImageError(f"Unsupported qcow2 version {version} with cluster bits {bits}")
    if backing:
        raise ImageError("Image nbd+unix:///?socket=/tmp/nbdkit.sock is invalid because it has invalid backing file")
    cluster = 1 << bits
    for entry in _table(file, l1_offset, l1_entries, length):
        l2_offset = entry & OFFSET_MASK
        if not l2_offset:
            continue
        for item in _table(file, l2_offset, cluster // 8, length):
            if not item & COMPRESSED and item & OFFSET_MASK and (item & OFFSET_MASK) + 1 > length:
                raise ImageError("error while reading: unexpected end of file")
    return int(size)


def _table(file: BinaryIO, offset: int, entries: int, length: int) -> tuple[int, ...]:
    if offset + entries * 8 > length:
        raise ImageError("error while reading tables: unexpected end of file")
    file.seek(offset)
    return struct.unpack(f">{entries}Q", file.read(entries * 8))


def make_qcow2(path: Path, virtual_size: int, payload_mib: int = 1) -> Path:
    """Writes a valid qcow2 (version 3, 64 KiB clusters) that holds `payload_mib` of data at its start.

    Layout: header | refcount table | refcount block | L1 table | L2 tables | data clusters.
    """
    data_clusters = payload_mib * 1024**2 // CLUSTER
    if data_clusters * CLUSTER > virtual_size:
        raise ValueError("the payload is larger than the disk")
    per_table = CLUSTER // 8
    l1_entries = max(1, -(-virtual_size // (CLUSTER * per_table)))
    l1_clusters = -(-l1_entries * 8 // CLUSTER)
    l2_tables = -(-data_clusters // per_table)
    first_l2 = 3 + l1_clusters
    first_data = first_l2 + l2_tables
    used = first_data + data_clusters
    if used > CLUSTER // 2:
        raise ValueError("one refcount block counts at most 32768 clusters: 2 GiB of data")
    header = HEADER.pack(
        QCOW2_MAGIC, 3, 0, 0, CLUSTER_BITS, virtual_size, 0, l1_entries, 3 * CLUSTER, CLUSTER, 1, 0, 0, 0, 0, 0, 4, 104
    )
    l1 = [((first_l2 + index) * CLUSTER) | COPIED for index in range(l2_tables)]
    data = [((first_data + index) * CLUSTER) | COPIED for index in range(data_clusters)]
    with path.open("wb") as file:
        _write_at(file, 0, header + b"\0" * 8)  # a zero header extension ends the list
        _write_at(file, CLUSTER, struct.pack(">Q", 2 * CLUSTER))
        _write_at(file, 2 * CLUSTER, struct.pack(f">{used}H", *([1] * used)))
        _write_at(file, 3 * CLUSTER, struct.pack(f">{len(l1)}Q", *l1))
        for index in range(l2_tables):
            entries = data[index * per_table : (index + 1) * per_table]
            _write_at(file, (first_l2 + index) * CLUSTER, struct.pack(f">{len(entries)}Q", *entries))
        for index in range(data_clusters):
            _write_at(file, (first_data + index) * CLUSTER, index.to_bytes(8, "big") * (CLUSTER // 8))
        file.truncate(used * CLUSTER)
    return path


def _write_at(file: BinaryIO, offset: int, content: bytes) -> None:
    file.seek(offset)
    file.write(content)
