"""`python -m ovim_site.supervisor demo | dev | status | restart | run | clean`: OVIM on one machine."""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from ovim_site.supervisor import control
from ovim_site.supervisor.console import Merged, complain, say, summary
from ovim_site.supervisor.demo import Scenario
from ovim_site.supervisor.groups import end_leftovers
from ovim_site.supervisor.postgres import Postgres, remove_moved
from ovim_site.supervisor.process import SupervisorError, full_disk
from ovim_site.supervisor.reload import Changes, Reload
from ovim_site.supervisor.runner import TICK, PartFailed, StopRequested, Supervisor
from ovim_site.supervisor.site import ROOT, Site, read_site
from ovim_site.supervisor.valkey import Valkey
from ovim_site.supervisor.var import Var

# `make dev`: templates and static files are read anew at each request.
_FRESH = {"OVIM_FRESH_FILES": "true"}
LEAST_MIB = 200  # an empty database, its log of changes and our own logs
INTERRUPTED = 130  # what shells expect after Ctrl-C


def main(arguments: Sequence[str]) -> int:
    asked = _parser().parse_args(arguments)
    # libpq reads PG* variables for whatever an address leaves open; those of the shell are meant for other databases.
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]
    try:
        if asked.verb == "run":
            return run(asked.command[1:] if asked.command[:1] == ["--"] else asked.command)
        if asked.verb in ("status", "restart"):
            return command(asked)
        return clean(asked.var) if asked.verb == "clean" else serve(asked)
    except SupervisorError as error:
        complain(str(error))
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        complain(f"{error.filename or asked.var}: the disk is full. Make room, or give another folder with --var.")
        return 1
    except KeyboardInterrupt:  # before or after the supervisor listens for it
        return INTERRUPTED


def serve(asked: argparse.Namespace) -> int:
    var = Var(asked.var)
    var.open()
    try:
        site = _prepare(var, _FRESH if asked.verb == "dev" else {})
        supervisor = Supervisor(var, site.stages(), say)
        try:
            status = _demo(site, supervisor, leave=asked.exit) if asked.verb == "demo" else _dev(site, supervisor)
        except StopRequested:
            status = INTERRUPTED
        finally:
            say("stopping")
            supervisor.stop()
    finally:
        var.close()
    return status


def _prepare(var: Var, extra: Mapping[str, str]) -> Site:
    end_leftovers(var)
    if full := full_disk(var.folder, LEAST_MIB):
        raise SupervisorError(f"{full} Make room, or give another folder with --var.")
    var.rotate_logs()
    return read_site(var, {**extra, **os.environ})


def _demo(site: Site, supervisor: Supervisor, *, leave: bool) -> int:
    supervisor.start()
    scenario = Scenario(site.web_url, site.sign_ins, say)
    scenario.start()
    supervisor.keep(until=scenario.finished, pause=TICK)
    if scenario.failure:
        complain(scenario.failure)
        if leave:
            return 1
    say(summary(site))
    if not leave:
        say("Ctrl-C stops everything; the data stays until `make clean`.")
        with contextlib.suppress(StopRequested):  # the way a demo is meant to end
            supervisor.keep(until=lambda: False)
    return 1 if scenario.failure else 0


def _dev(site: Site, supervisor: Supervisor) -> int:
    changes = Changes(site.var.folder / "log", supervisor.wake, say)
    reload = Reload(changes, site.programs, say)
    changes.start()
    try:
        _start_dev(site, supervisor, reload)
        merged = Merged(site.var.log(part.name) for stage in site.stages() for part in stage)
        say(summary(site))

        def look() -> bool:
            merged.pump()
            reload.act(supervisor.restart)
            return False

        with contextlib.suppress(StopRequested):
            supervisor.keep(until=look)
        merged.pump()
    finally:
        changes.stop()
    return 0


def _start_dev(site: Site, supervisor: Supervisor, reload: Reload) -> None:
    """Code that does not start is no reason to end: it is being worked on."""
    while True:
        try:
            supervisor.start()
            return
        except PartFailed as error:
            if error.name not in (*site.programs, "migrate", "setup", "sandbox"):
                raise
            complain(f"{error}\nwaiting for a change of the code")
            supervisor.stop()
            supervisor.keep(until=reload.changed)


def command(asked: argparse.Namespace) -> int:
    """`status` and `restart`, answered by the supervisor that runs."""
    request = {"verb": asked.verb, **({"parts": asked.parts} if asked.verb == "restart" else {})}
    answer = control.ask(asked.var, request)
    print(json.dumps(answer["parts"], indent=1) if asked.json else control.table(answer["parts"]))
    return 0


def run(command: Sequence[str]) -> int:
    """Run one command against throw-away services: `manage.py check` and its like need an environment to start."""
    with tempfile.TemporaryDirectory(prefix="ovim-run-") as folder:
        Path(folder).chmod(0o711)  # PostgreSQL passes through as nobody
        var = Var(Path(folder) / "var")
        var.open()
        outside = {name: value for name, value in os.environ.items() if not name.startswith("OVIM_")}
        site = read_site(var, outside)
        with Postgres(var.folder / "pg", durable=False) as pg, Valkey(var.folder / "cache") as cache:
            services = {"OVIM_DATABASE_URL": pg.urls.app, "OVIM_DATABASE_OWNER_URL": pg.urls.owner}
            environment = {**site.environment, **services, "OVIM_REDIS_URL": cache.url}
            return subprocess.run(command, env=environment, check=False).returncode


def clean(folder: Path) -> int:
    """Remove everything that starts left; refused while one runs."""
    if folder.exists():
        var = Var(folder)
        var.open()
        end_leftovers(var)
        remove_moved(folder / "postgres")
        shutil.rmtree(folder)
        var.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m ovim_site.supervisor", description="OVIM on one machine")
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, what in (("demo", "start everything and make a virtual machine"), ("dev", "start everything, show logs")):
        verbs.add_parser(name, help=what)
    leave = "end with status 0 once the virtual machine runs"
    verbs.choices["demo"].add_argument("--exit", action="store_true", help=leave)
    verbs.add_parser("clean", help="remove the data of earlier starts")
    verbs.add_parser("status", help="show each part of what runs")
    verbs.add_parser("restart", help="restart parts of what runs").add_argument("parts", nargs="+", metavar="part")
    for name in ("status", "restart"):
        verbs.choices[name].add_argument("--json", action="store_true", help="for programs")
    for verb in verbs.choices.values():
        verb.add_argument("--var", type=Path, default=ROOT / "var", help="the folder for data, logs and secrets")
    run_verb = verbs.add_parser("run", help="run a command with throw-away services")
    run_verb.add_argument("command", nargs=argparse.REMAINDER, help="the command and its arguments")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
