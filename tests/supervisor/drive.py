"""A supervisor over shell scripts, one stage per argument: drive.py VAR NAME=SCRIPT NAME!=SCRIPT (`!`: one-shot).

`@services` as a stage: the embedded PostgreSQL and Valkey."""

from __future__ import annotations

import os
import sys

from ovim_site.supervisor.console import complain, say
from ovim_site.supervisor.groups import end_leftovers
from ovim_site.supervisor.parts import Part, says
from ovim_site.supervisor.process import Launch, SupervisorError
from ovim_site.supervisor.runner import StopRequested, Supervisor
from ovim_site.supervisor.site import read_site
from ovim_site.supervisor.var import Var


def part(var: Var, text: str) -> Part:
    name, _, script = text.partition("=")
    once = name.endswith("!")
    launch = Launch(("sh", "-c", script), env=os.environ, cwd=var.folder)
    name = name.rstrip("!")
    return Part(name, lambda: launch, says(var.log(name), "ready"), once=once, patience=10, stop_seconds=2)


def stage(var: Var, text: str) -> tuple[Part, ...]:
    if text == "@services":
        return read_site(var, {"OVIM_KUBECONFIG": "/of/another"}).stages()[0]
    return (part(var, text),)


def main(folder: str, *stages: str) -> int:
    var = Var(folder)
    try:
        var.open()
        end_leftovers(var)
        var.rotate_logs()
        supervisor = Supervisor(var, tuple(stage(var, text) for text in stages), say)
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
    sys.exit(main(*sys.argv[1:]))
