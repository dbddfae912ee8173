"""Which parts this installation has: the table. Each embedded service gives way to the variable that replaces it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from ovim_site.supervisor.parts import Check, Part, Stages, answers, listens, says
from ovim_site.supervisor.postgres import APP, OWNER, Postgres
from ovim_site.supervisor.process import Launch, SupervisorError, write_private
from ovim_site.supervisor.valkey import Valkey
from ovim_site.supervisor.var import Var

ROOT = Path(__file__).resolve().parents[2]
LOOPBACK = "127.0.0.1"
PORTS = ("web", "live", "postgres", "valkey", "sandbox", "images")

CELERY = ("-m", "celery", "-A", "ovim_site.celery")
WORKER = ("worker", "--pool", "prefork", "--loglevel", "INFO", "--without-gossip", "--without-mingle")
SLOTS = "2"  # reconciles at the same time; beat wakes no more workers than this, so both must agree
IMAGES = (  # looks at images: it waits for other people's servers, so it reconciles nothing
    *("worker", "--pool", "threads", "--concurrency", "8", "--queues", "images", "--hostname", "images@%h"),
    *("--loglevel", "INFO", "--without-gossip", "--without-mingle"),
)
BEAT = ("beat", "--loglevel", "WARNING", "--pidfile=")
GRANIAN = ("--interface", "wsgi", "--workers", "1", "--blocking-threads", "8", "--no-ws")


@dataclass(frozen=True)
class Site:
    """One installation: its folder, its ports, its embedded services and the environment of its parts."""

    var: Var
    ports: Mapping[str, int]
    environment: Mapping[str, str]
    postgres: Postgres | None
    valkey: Valkey | None
    sandbox_token: str | None

    @property
    def public_url(self) -> str:
        return self.environment["OVIM_PUBLIC_URL"]

    @property
    def web_url(self) -> str:
        """Where the web server listens, whatever the public address in front of it is."""
        return f"http://{LOOPBACK}:{self.ports['web']}"

    @property
    def kubeconfig(self) -> Path:
        return Path(self.environment["OVIM_KUBECONFIG"])

    @property
    def sign_ins(self) -> Path:
        return self.var.folder / "sign-ins.json"

    def stages(self) -> Stages:
        return (
            self._services(),
            # Migrating needs no cluster: the sandbox starts meanwhile.
            (
                *self._sandbox(),
                self._python("migrate", "manage.py", "migrate", "--database=owner", "--no-input", once=True),
            ),
            (self._set_up(),),
            self._programs(),
        )

    def _set_up(self) -> Part:
        """In the sandbox roles hold for kubectl, too: `kubectl --as oidc:alice`. In a cluster of somebody's own nobody's."""
        more = ("--oidc-prefix", "oidc:") if self.sandbox_token else ()
        return self._python("setup", "manage.py", "setup_demo", "--sign-ins", str(self.sign_ins), *more, once=True)

    @property
    def programs(self) -> tuple[str, ...]:
        """The parts that run OVIM's own code, by name."""
        return tuple(part.name for part in self._programs())

    def _services(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        if self.postgres:
            # SIGINT also when we are killed: the data is closed properly.
            stop = self.postgres.stop_signal
            server = self.postgres
            address = self._at("postgres")
            parts.append(
                Part("postgres", server.prepare, server.is_ready, address, stop_signal=stop, death_signal=stop)
            )
        if self.valkey:
            parts.append(Part("valkey", self.valkey.prepare, self.valkey.is_ready, self._at("valkey")))
        return tuple(parts)

    def _at(self, name: str) -> str:
        return f"{LOOPBACK}:{self.ports[name]}"

    def _sandbox(self) -> tuple[Part, ...]:
        if not self.sandbox_token:
            return ()
        port = self.ports["sandbox"]
        self.kubeconfig.parent.mkdir(exist_ok=True)
        folder = self.var.folder / "sandbox"
        folder.mkdir(exist_ok=True)
        write_private(folder / "token", self.sandbox_token)  # a command line is everybody's to read
        arguments = ("--port", str(port), "--token-file", str(folder / "token"))
        # TLS, because kubectl sends no token over plain HTTP.
        folders = ("--data", str(folder), "--tls", str(folder / "tls"), "--kubeconfig", str(self.kubeconfig))
        images = ("--images", str(folder / "images"), "--images-port", str(self.ports["images"]))
        serve = ("-m", "clusters.sandbox", "serve", *arguments, *folders, *images)
        return (self._python("sandbox", *serve, ready=listens(port), address=f"https://{self._at('sandbox')}"),)

    def _programs(self) -> tuple[Part, ...]:
        web, live = (("--host", LOOPBACK, "--port", str(self.ports[name])) for name in ("web", "live"))
        slots = ("--concurrency", self.environment["OVIM_WORKER_SLOTS"])
        return (
            self._python(
                *("web", "-m", "granian", *GRANIAN, *web, "ovim_site.wsgi:application"),
                ready=answers(f"{self.web_url}/healthz"),
                address=self.web_url,
            ),
            self._python(
                *("live", "-m", "uvicorn", *live, "ovim_site.live.app:app"),
                ready=listens(self.ports["live"]),
                address=f"http://{self._at('live')}",
            ),
            self._python("worker", *CELERY, *WORKER, *slots, ready=says(self.var.log("worker"), " ready.")),
            self._python("images", *CELERY, *IMAGES),
            self._python("beat", *CELERY, *BEAT),
            self._python("watcher", "manage.py", "watch"),
        )

    def _python(
        self, name: str, *arguments: str, ready: Check = lambda: True, once: bool = False, address: str = ""
    ) -> Part:
        launch = Launch((sys.executable, *arguments), env=self.environment, cwd=ROOT)
        return Part(name, lambda: launch, ready, address, once=once)


def read_site(var: Var, outside: Mapping[str, str]) -> Site:
    """Decide what is embedded. `var` is open: what is missing in it is made."""
    has_database = _both_or_neither(outside, "OVIM_DATABASE_URL", "OVIM_DATABASE_OWNER_URL")
    kept = var.secrets()
    ports = var.ports(PORTS)
    postgres = None
    if not has_database:
        passwords = {OWNER: kept["database_owner"], APP: kept["database_app"]}
        folder = var.folder / "postgres"
        postgres = Postgres(folder, port=ports["postgres"], passwords=passwords, log=var.log("postgres"))
    valkey = None
    if not outside.get("OVIM_REDIS_URL"):
        valkey = Valkey(var.folder / "valkey", port=ports["valkey"], password=kept["redis"], log=var.log("valkey"))
    embedded = {
        **{name: value for name, value in kept.items() if name.startswith("OVIM_")},
        **(
            {"OVIM_DATABASE_URL": postgres.urls.app, "OVIM_DATABASE_OWNER_URL": postgres.urls.owner} if postgres else {}
        ),
        **({"OVIM_REDIS_URL": valkey.url} if valkey else {}),
        "OVIM_KUBECONFIG": str(var.folder / "sandbox" / "kubeconfig"),
        "OVIM_PUBLIC_URL": f"http://{LOOPBACK}:{ports['web']}",
        "OVIM_LIVE_URL": f"http://{LOOPBACK}:{ports['live']}",
        "OVIM_WORKER_SLOTS": SLOTS,
        # The sandbox serves the demo's image itself: loopback is an image host here and nowhere else.
        "OVIM_DEMO_IMAGE_URL": f"http://{LOOPBACK}:{ports['images']}/demo.qcow2",
        "OVIM_IMAGE_HOSTS": LOOPBACK,
        "OVIM_LOOPBACK_CLUSTERS": "true",
        "OVIM_MAIL_URL": (var.folder / "mail").as_uri(),  # mail is written, not sent
        "OVIM_MAIL_FROM": "OVIM <ovim@localhost>",
        **_bytecode(var, outside),
    }
    if postgres:
        embedded |= {"OVIM_DATABASE_URL": postgres.urls.app, "OVIM_DATABASE_OWNER_URL": postgres.urls.owner}
    if valkey:
        embedded["OVIM_REDIS_URL"] = valkey.url
    return Site(
        var=var,
        ports=ports,
        environment=_environment(outside, embedded),
        postgres=postgres,
        valkey=valkey,
        sandbox_token=None if outside.get("OVIM_KUBECONFIG") else kept["sandbox_token"],
    )


def _both_or_neither(outside: Mapping[str, str], application: str, owner: str) -> bool:
    """Whether both addresses are set."""
    given = [name for name in (application, owner) if outside.get(name)]
    if len(given) == 1:
        missing = owner if given == [application] else application
        raise SupervisorError(
            f"{given[0]} is set and {missing} is not: migrations run as the database's owner and everything else as a "
            "role with fewer rights, so set both, or neither for the embedded PostgreSQL."
        )
    return bool(given)


def _bytecode(var: Var, outside: Mapping[str, str]) -> dict[str, str]:
    """Where writing bytecode is forbidden, every start of every part would compile Django anew, which takes longer than
    all the rest. Nothing is written beside the sources then either: the bytecode goes to our own folder."""
    if not outside.get("PYTHONDONTWRITEBYTECODE"):
        return {}
    return {"PYTHONPYCACHEPREFIX": str(var.folder / "bytecode")}


def _environment(outside: Mapping[str, str], embedded: Mapping[str, str]) -> dict[str, str]:
    """The parts' environment: what was set outside wins, save what would lead them astray."""
    # PGSSLMODE and its like are meant for other databases; KUBECONFIG may name a production cluster.
    kept_out = ("KUBECONFIG", "PYTHONDONTWRITEBYTECODE")
    env = {name: value for name, value in outside.items() if not name.startswith("PG") and name not in kept_out}
    env |= {name: value for name, value in embedded.items() if not env.get(name)}
    hosts = [*env.get("OVIM_ALLOWED_HOSTS", "").split(","), urlsplit(env["OVIM_PUBLIC_URL"]).hostname or ""]
    env["OVIM_ALLOWED_HOSTS"] = ",".join(dict.fromkeys(filter(None, (*hosts, LOOPBACK, "localhost"))))
    for name in ("NO_PROXY", "no_proxy"):  # a proxy in the shell must not stand between our own parts
        env[name] = ",".join(filter(None, (env.get(name), f"{LOOPBACK},localhost")))
    env["PYTHONUNBUFFERED"] = "1"
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), env.get("PYTHONPATH"))))
    env.setdefault("DJANGO_SETTINGS_MODULE", "ovim_site.settings")
    return env
