"""The icons the portal uses: our name → Tabler's outline icon. `bin/sprite` cuts the sprite from this. Pure."""

from collections.abc import Mapping

ICONS: Mapping[str, str] = {
    # phases
    "running": "player-play",
    "stopped": "square",
    "busy": "loader-2",
    "paused": "player-pause",
    "failed": "circle-x",
    "unknown": "help-circle",
    "ok": "circle-check",
    # things
    "logo": "cube-3d-sphere",
    "vm": "server",
    "vdc": "cube",
    "catalog": "books",
    "disk": "database",
    "address": "network",
    "size": "cpu",
    "user": "user-circle",
    # verbs and marks
    "start": "player-play",
    "stop": "player-stop",
    "delete": "trash",
    "add": "plus",
    "search": "search",
    "menu": "menu-2",
    "close": "x",
    "right": "chevron-right",
    "down": "chevron-down",
    "warning": "alert-triangle",
    "info": "info-circle",
    "theme": "sun-moon",
    "sign-out": "logout",
    "refresh": "refresh",
    "time": "history",
}
