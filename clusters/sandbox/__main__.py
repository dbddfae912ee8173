"""python -m clusters.sandbox serve | ctl"""

from __future__ import annotations

import sys

from clusters.sandbox import ctl, serve

USAGE = "usage: python -m clusters.sandbox (serve | ctl) --help"


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["serve"]:
        return serve.main(arguments[1:])
    if arguments[:1] == ["ctl"]:
        return ctl.main(arguments[1:])
    sys.stderr.write(USAGE + "\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
