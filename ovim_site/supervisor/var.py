"""The folder that a start keeps everything in: the lock, secrets, ports, logs and the list of what runs."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ovim_site.supervisor.process import SupervisorError, free_port, is_free, write_private

OLD_LOGS = 3


class Var:
    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).absolute()
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Make the folder and take it for this process; refused while another supervisor has it."""
        try:
            (self.folder / "log").mkdir(parents=True, exist_ok=True)
            if self.folder.stat().st_uid == os.geteuid():
                self.folder.chmod(0o711)  # the database's account passes through; it can't look
            lock = (self.folder / "lock").open("a+")
        except OSError as error:
            raise SupervisorError(
                f"{error.filename} can't be written ({error.strerror}): give another folder with --var, "
                "or start as the account that owns it."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip()
            lock.close()
            raise SupervisorError(
                f"OVIM already runs in {self.folder} (process {holder}): stop it with Ctrl-C there, or give this one "
                "a folder of its own with --var."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def secrets(self) -> dict[str, str]:
        """Made once, then kept: tokens, sessions and encrypted credentials stay valid from start to start."""
        kept = self._read("secrets.json")
        wanted = {name: kept[name] if name in kept else make() for name, make in _SECRETS.items()}
        if wanted != kept:
            write_private(self.folder / "secrets.json", json.dumps(wanted, indent=1))
        return wanted

    def ports(self, names: Sequence[str]) -> dict[str, int]:
        """The ports of the last start, so that bookmarks stay right; another one where somebody took it."""
        kept: dict[str, int] = self._read("ports.json")
        ports: dict[str, int] = {}
        for name in names:
            before = kept.get(name)
            usable = before is not None and before not in ports.values() and is_free(before)
            ports[name] = before if usable and before is not None else free_port(besides=ports.values())
        write_private(self.folder / "ports.json", json.dumps(kept | ports, indent=1))
        return ports

    def log(self, part: str) -> Path:
        return self.folder / "log" / f"{part}.log"

    def rotate_logs(self) -> None:
        """One file per part and start; the last three are kept."""
        for log in sorted((self.folder / "log").glob("*.log")):
            for age in range(OLD_LOGS - 1, 0, -1):
                older = log.with_name(f"{log.name}.{age}")
                if older.exists():
                    older.replace(log.with_name(f"{log.name}.{age + 1}"))
            log.replace(log.with_name(f"{log.name}.1"))

    def _read(self, name: str) -> dict[str, Any]:
        path = self.folder / name
        try:
            found = json.loads(path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise SupervisorError(f"{path} can't be read ({error}): mend it, or begin anew: `make clean`.") from None
        return dict(found)


def _signing_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return pem.decode()


def _word() -> str:
    return secrets.token_urlsafe(32)


_SECRETS = {
    "OVIM_SECRET_KEY": lambda: secrets.token_urlsafe(64),
    "OVIM_JWT_KEY": _signing_key,
    "OVIM_CREDENTIAL_KEY": lambda: base64.b64encode(secrets.token_bytes(32)).decode(),
    "database_owner": _word,
    "database_app": _word,
    "redis": _word,
    "sandbox_token": _word,
}
