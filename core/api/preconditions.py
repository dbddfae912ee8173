"""If-Match by RFC 9110 §13.1.1: which generations of a row a write may meet."""

import re

from core.errors import BadParameter
from core.rows import Generations

_TAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_LIST = re.compile(rf"[ \t]*(?:,[ \t]*)*(?:{_TAG}(?:[ \t]*,(?:[ \t]*{_TAG})?)*[ \t]*)?")
_EACH = re.compile(_TAG)
LONGEST = 4096


def allowed(header: str | None) -> Generations:
    """The generations that If-Match names. None: any (no header, or `*`). Malformed: BadParameter.

    The comparison is the strong one, so a weak tag (`W/"3"`) is well-formed and matches nothing, like an empty list.
    """
    if header is None or header.strip() == "*":
        return None
    if len(header) > LONGEST or not _LIST.fullmatch(header):
        raise BadParameter.field(
            "If-Match", "etag", 'If-Match must be * or entity tags as they were given: "3", or several with commas.'
        )
    named = (tag[1:-1] for tag in _EACH.findall(header) if not tag.startswith("W/"))
    return frozenset(int(tag) for tag in named if tag.isascii() and tag.isdigit() and len(tag) < 19)
