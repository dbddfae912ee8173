"""Serves demo images from a directory: a plain ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]
CHUNK = 256 * 1024


def images_app(directory: Path) -> Application:
    """GET and HEAD of plain file names; nothing outside the directory can be named."""

    async def application(scope: Message, _receive: Receive, send: Send) -> None:
        name = str(scope["path"]).lstrip("/")
        path = directory / name
        known = scope["method"] in ("GET", "HEAD") and "/" not in name and name not in ("", ".", "..")
        if not known or not path.is_file():
            await _answer(send, 404, [(b"content-type", b"text/plain")], [b"404 page not found\n"])
            return
        headers = [
            (b"content-type", b"application/octet-stream"),
            (b"content-length", str(path.stat().st_size).encode()),
        ]
        await _answer(send, 200, headers, [] if scope["method"] == "HEAD" else _chunks(path))

    return application


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


async def _answer(send: Send, code: int, headers: list[tuple[bytes, bytes]], body: Any) -> None:
    await send({"type": "http.response.start", "status": code, "headers": headers})
    for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
