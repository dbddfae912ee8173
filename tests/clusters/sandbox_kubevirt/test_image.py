"""Images are told by their bytes; the ones we make are valid and can be served."""

import asyncio
import shutil
import subprocess
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from clusters.sandbox.cdi.image import Image, ImageError, inspect, make_qcow2
from clusters.sandbox.cdi.serve import images_app

GIB = 1024**3


@pytest.mark.parametrize(("size", "payload"), [(GIB, 1), (40 * GIB, 3), (700 * GIB, 2), (2 * GIB, 600)])
def test_a_made_image_is_a_valid_qcow2(tmp_path: Path, size: int, payload: int) -> None:
    path = make_qcow2(tmp_path / "demo.qcow2", size, payload)
    with path.open("rb") as file:
        assert inspect(file) == Image("qcow2", size)
    assert path.stat().st_size >= payload * 1024**2
    if shutil.which("qemu-img"):
        subprocess.run(["qemu-img", "check", str(path)], check=True, capture_output=True)


@pytest.mark.parametrize("kept", [60, 3 * 65536 + 4, 5 * 65536])
def test_a_cut_qcow2_is_refused(tmp_path: Path, kept: int) -> None:
    path = make_qcow2(tmp_path / "cut.qcow2", GIB, 1)
    path.write_bytes(path.read_bytes()[:kept])
    with path.open("rb") as file, pytest.raises(ImageError):
        inspect(file)


def test_other_formats_are_named(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(b"\0" * 4096)
    with path.open("rb") as file:
        assert inspect(file) == Image("raw", 4096)
    path.write_bytes(b"QED\0" + b"\0" * 4092)
    with path.open("rb") as file, pytest.raises(ImageError, match="Invalid format qed"):
        inspect(file)


def served(directory: Path, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def ask() -> None:
        await images_app(directory)({"type": "http", "method": method, "path": path}, receive, send)

    asyncio.run(ask())
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(message.get("body", b"") for message in sent[1:])


def test_images_are_served_by_name_and_nothing_else_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"no")
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.qcow2").write_bytes(b"image")
    assert served(images, "/a.qcow2") == (
        200,
        {b"content-type": b"application/octet-stream", b"content-length": b"5"},
        b"image",
    )
    assert served(images, "/a.qcow2", "HEAD")[2] == b""
    for name in ("", ".", "..", "../secret", "b", "%2e%2e/secret"):
        assert served(images, f"/{name}")[0] == 404
    assert served(images, "/a.qcow2", "PUT")[0] == 404
