"""Which device a session is of, by what it said of itself: a hint for people, never a proof."""

import re
from collections.abc import Sequence

# Ordered: browsers name their ancestors, too.
_PROGRAMS: Sequence[tuple[str, str]] = (
    ("ovim/", "ovim command"),
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
    ("python", "Python"),
)
_SYSTEMS: Sequence[tuple[str, str]] = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


_COMMAND = re.compile(r"ovim/\S+ on (?P<host>[\w.-]+)\Z")  # one that was signed in by a browser


def device_of(user_agent: str) -> str:
    """`Firefox on Linux`, `ovim on laptop`, `ovim command`, or `unknown`."""
    command = _COMMAND.match(user_agent)
    if command:
        return f"ovim on {command['host']}"
    program = next((name for word, name in _PROGRAMS if word in user_agent), "")
    system = next((name for word, name in _SYSTEMS if word in user_agent), "")
    return " on ".join(part for part in (program, system) if part) or "unknown"
