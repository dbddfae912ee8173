"""How an organization looks: colours that can be read on the portal's surfaces, and pictures that are what they say.

Surfaces are the tokens of static/css/tokens.css; a test compares.
"""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.errors import Invalid

LEAST_CONTRAST: Final = 4.5  # WCAG 2.2, 1.4.3
SURFACES: Final[Mapping[str, tuple[str, ...]]] = {
    "accent_light": ("#f5f6f8", "#ffffff", "#eceff3"),
    "accent_dark": ("#0e1217", "#161b22", "#1f262f"),
}
LARGEST: Final = 256 * 1024
WIDEST: Final = 1024
_HEX = frozenset("0123456789abcdef")


def check_accents(changes: Mapping[str, Any]) -> None:
    """Invalid, naming the field, unless each colour can be read on every surface of its theme. Empty: the portal's own."""
    for field, surfaces in SURFACES.items():
        colour = changes.get(field)
        if not colour:
            continue
        if len(colour) != 7 or colour[0] != "#" or not _HEX.issuperset(colour[1:]):
            raise Invalid.field(field, "colour", "A colour is # and six lower-case hex digits, such as #1d5bc9.")
        worst = min(surfaces, key=lambda surface: contrast(colour, surface))
        found = contrast(colour, worst)
        if found < LEAST_CONTRAST:
            theme = field.removeprefix("accent_")
            raise Invalid.field(
                field,
                "contrast",
                f"{colour} has a contrast of {found:.2f} on {worst}, a surface of the {theme} theme: "
                f"{LEAST_CONTRAST} is the least.",
            )


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG: 1 (the same) to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


@dataclass(frozen=True)
class Picture:
    media_type: str
    width: int
    height: int


def picture(data: bytes, field: str = "picture") -> Picture:
    """What the bytes are, whatever name or type they came with; Invalid unless a PNG, JPEG or WebP of a fair size."""
    if len(data) > LARGEST:
        raise Invalid.field(
            field, "too_large", f"A logo has {LARGEST // 1024} KiB at most, this one {len(data) // 1024}."
        )
    try:
        found = _png(data) or _webp(data) or _jpeg(data)
    except (struct.error, IndexError):
        found = None
    if found is None:
        raise Invalid.field(field, "picture", "This is no whole picture: a logo is a PNG, JPEG or WebP file.")
    if not (0 < found.width <= WIDEST and 0 < found.height <= WIDEST):
        raise Invalid.field(
            field, "size", f"A logo has {WIDEST} × {WIDEST} points at most, this one {found.width} × {found.height}."
        )
    return found


def _png(data: bytes) -> Picture | None:
    """Each chunk with its checksum, from the first to IEND, and nothing after it."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    at, size, kinds = 8, None, []
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        if checksum != zlib.crc32(kind + body):
            return None
        if kind == b"IHDR" and size is None:
            size = struct.unpack_from(">II", body)
        kinds.append(kind)
        at += 12 + length
        if kind == b"IEND":
            break
    whole = size is not None and kinds[0] == b"IHDR" and b"IDAT" in kinds and kinds[-1] == b"IEND" and at == len(data)
    return Picture("image/png", *size) if whole and size is not None else None


def _webp(data: bytes) -> Picture | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    (length,) = struct.unpack_from("<I", data, 4)
    if length + 8 != len(data):
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return Picture(
            "image/webp", 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
        )
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return Picture("image/webp", width & 0x3FFF, height & 0x3FFF)
    if kind == b"VP8L" and data[20] == 0x2F:
        (bits,) = struct.unpack_from("<I", data, 21)
        return Picture("image/webp", 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    return None


# Start of frame: every kind but those that are no frames (DHT, JPG, DAC).
_FRAMES = frozenset({*range(0xC0, 0xD0)}) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def _jpeg(data: bytes) -> Picture | None:
    """Segment by segment to the frame that has the size; it ends as a JPEG does."""
    if data[:3] != b"\xff\xd8\xff" or not data.endswith(b"\xff\xd9"):
        return None
    at = 2
    while data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF or kind in _ALONE:
            at += 1 if kind == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", data, at + 2)
        if kind in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return Picture("image/jpeg", width, height)
        if kind == 0xDA:
            return None
        at += 2 + length
    return None
