"""A throw-away installation with the demo's own parts, started one by one: what is measured is what is run."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from ovim_site.supervisor.parts import Part, answers
from ovim_site.supervisor.process import Launch, free_port, last_lines, spawn, stop, wait_for
from ovim_site.supervisor.site import GRANIAN, LOOPBACK, ROOT, Site, read_site
from ovim_site.supervisor.var import Var


class Ground:
    """`with Ground() as ground:` PostgreSQL (durable, as in the demo), Valkey and the schema; the rest as asked.

    It sets this process's environment and loads Django, so there is one of it in a process.
    """

    site: Site

    def __init__(self, *, statements: bool = False, deployed: bool = False, **environment: str) -> None:
        self._statements = statements
        self._deployed = deployed
        self._extra = environment
        self._stack = ExitStack()
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="ovim-bench-"))
        self.folder.chmod(0o711)  # PostgreSQL passes through as nobody when we are root
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self.var = Var(self.folder / "var")
        self.var.open()
        if self._deployed:  # as behind TLS; the bench speaks to the server itself
            self._extra |= {"OVIM_PUBLIC_URL": f"https://{LOOPBACK}", "OVIM_STATIC_ROOT": str(self.folder / "static")}
        outside = {name: value for name, value in os.environ.items() if not name.startswith("OVIM_")}
        self.site = read_site(self.var, outside | self._extra)
        assert self.site.postgres is not None
        assert self.site.valkey is not None
        if self._statements:
            self.site.postgres.settings["log_statement"] = "all"
        self._stack.enter_context(self.site.postgres)
        self._stack.enter_context(self.site.valkey)
        self._stack.callback(self._stop_all)
        os.environ |= self.site.environment
        self.start("migrate")
        import django

        from core import tenants

        tenants.work_for_all()
        django.setup()
        if self._deployed:
            from django.core.management import call_command

            call_command("collectstatic", interactive=False, verbosity=0)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, *names: str) -> dict[str, "subprocess.Popen[bytes]"]:
        """Parts of the demo by name, all at once; returns when they are ready, or done if they run to an end."""
        running = {name: self.begin(name) for name in names}
        for name, process in running.items():
            self._await(self.part(name), process)
        return running

    def part(self, name: str) -> Part:
        return next(part for stage in self.site.stages() for part in stage if part.name == name)

    def begin(self, name: str, *more: str, under: str = "") -> "subprocess.Popen[bytes]":
        """Start one part and don't wait for it; `more` arguments and another name (`under`) make a second one of it."""
        launch = self.part(name).prepare()
        return self._spawn(under or name, replace(launch, argv=(*launch.argv, *more)))

    def serve(self, name: str, application: str) -> str:
        """Another WSGI application under the demo's own web server; its address."""
        port = free_port()
        words = ("-m", "granian", *GRANIAN, "--host", LOOPBACK, "--port", str(port), application)
        process = self._spawn(name, Launch((sys.executable, *words), env=os.environ, cwd=ROOT))
        if not wait_for(answers(f"http://{LOOPBACK}:{port}/ready"), process, seconds=30):
            raise RuntimeError(f"{name} does not answer:\n{last_lines(self.var.log(name))}")
        return f"http://{LOOPBACK}:{port}"

    def keep_logs(self, folder: Path) -> None:
        """Copy what the parts have said so far."""
        shutil.copytree(self.var.folder / "log", folder, dirs_exist_ok=True)

    def _spawn(self, name: str, launch: Launch) -> "subprocess.Popen[bytes]":
        self.running[name] = spawn(launch, log=self.var.log(name))
        return self.running[name]

    def _stop_all(self) -> None:
        for process in reversed(list(self.running.values())):
            if process.poll() is None:
                stop(process, seconds=5)

    def _await(self, part: Part, process: "subprocess.Popen[bytes]") -> None:
        if part.once:
            if process.wait(part.patience) == 0:
                return
        elif wait_for(part.ready, process, seconds=part.patience):
            return
        raise RuntimeError(f"{part.name} did not start:\n{last_lines(self.var.log(part.name))}")
