"""JSON in and out with orjson. A body that is not JSON is a refusal naming where it breaks, never a 500."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from core.errors import Invalid, TooLarge

LARGEST = 1024 * 1024


class Raw(bytes):
    """JSON that is rendered already (by PostgreSQL): passed through untouched."""


class Renderer(BaseRenderer):
    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if data is None:
            return b""
        return data if isinstance(data, Raw) else orjson.dumps(data, default=str)


class Parser(BaseParser):
    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(LARGEST + 1)  # a body without a length is only known to be too large by reading on
        if len(body) > LARGEST:
            raise TooLarge(f"The body is larger than {LARGEST} bytes.")
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Invalid.field("", "json", f"The body is not JSON: {error}.") from None
