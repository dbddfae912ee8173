"""A supervisor over shell scripts, one stage per argument: drive.py VAR NAME=SCRIPT NAME!=SCRIPT (`!`: one-shot)."""

from __future__ import annotations

import os
import sys

from ovim_site.supervisor.console import complain, say
from ovim_site.supervisor.groups import end_leftovers
from ovim_site.supervisor.parts import Part, says
from ovim_site.supervisor.process import Launch, SupervisorError
from ovim_site.supervisor.runner import StopRequested, Supervisor
from ovim_site.supervisor.var import Var


def part(var: Var, text: str) -> Part:
    name, _, script = text.partition("=")
    once = name.endswith("!")
    launch = Launch(("sh", "-c", script), env=os.environ, cwd=var.folder)
    name = name.rstrip("!")
    return Part(name, lambda: launch, says(var.log(name), "ready"), once=once, patience=10, stop_seconds=2)


def main() -> int:
    var = Var(sys.argv[1])
    try:
        var.open()
        end_leftovers(var)
        var.rotate_logs()
        supervisor = Supervisor(var, tuple((part(var, text),) for text in sys.argv[2:]), say)
        try:
            supervisor.start()
            say("all ready")
            supervisor.keep(until=lambda: False)
        finally:
            supervisor.stop()
    except SupervisorError as error:
        complain(str(error))
        return 1
    except StopRequested:
        say("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
