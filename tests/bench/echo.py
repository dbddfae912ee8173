"""The floor under the sandbox: the same web server, the same JSON read and written, and nothing in between.

GET answers a list as large as the one asked for by `?bytes=`, everything else its own body.
"""

from typing import Any

import orjson

BLOCK = orjson.dumps({"items": ["x" * 1000]})


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    size = int(scope["query_string"].removeprefix(b"bytes=") or 0) if scope["method"] == "GET" else 0
    answer = (BLOCK * (size // len(BLOCK) + 1))[:size] if size else orjson.dumps(orjson.loads(body)) if body else b"{}"
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
