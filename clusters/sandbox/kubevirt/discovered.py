"""What virt-api says it serves, in its order: names without a kind and without verbs.

Not all of it is served here: consoles, volumes, backups and confidential guests answer 404.
"""

from __future__ import annotations

_RUNS = (
    ("expand-vm-spec", ""),
    (
        "virtualmachineinstances",
        (
            "vnc vnc/screenshot console portforward backup redefine-checkpoint pause unpause freeze "
            "unfreeze reset softreboot"
        ),
    ),
    (
        "virtualmachines",
        "start stop restart migrate expand-spec objectgraph evacuate/cancel",
    ),
    (
        "virtualmachineinstances",
        (
            "guestosinfo userlist filesystemlist addvolume removevolume objectgraph sev/fetchcertchain "
            "sev/querylaunchmeasurement sev/setupsession sev/injectlaunchsecret evacuate/cancel"
        ),
    ),
)
NAMES = tuple(f"{plural}/{name}".rstrip("/") for plural, below in _RUNS for name in below.split() or ("",))
