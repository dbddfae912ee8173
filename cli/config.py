"""What the command remembers, under $XDG_CONFIG_HOME/ovim: the contexts (which servers) and, apart, each one's tokens.

Every file is 0600 in a 0700 folder from the moment it exists, and is replaced as a whole: a reader never sees half of one.
Tokens are `cli.tokens`'.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.errors import CliError, Exit

SIGN_IN = "Sign in with: ovim login"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    if not base or not os.path.isabs(base):  # the XDG specification: a relative path is to be ignored
        base = os.path.expanduser("~/.config")
    return Path(base) / "ovim"


def clean_server(text: str) -> str:
    """`cloud.example.org` → `https://cloud.example.org`: scheme, host, port, and a path before /api if any."""
    url = urlsplit(text if "://" in text else f"https://{text}")
    try:
        port = url.port
    except ValueError:
        port = -1
    if url.scheme not in ("http", "https") or not url.hostname or port == -1 or url.query or url.fragment:
        raise CliError(Exit.USAGE, f"{text!r} is no server's address: write https://HOST or https://HOST:PORT.")
    if url.username or url.password:
        raise CliError(Exit.USAGE, "Leave user name and password out of the server's address.")
    path = url.path.rstrip("/").removesuffix("/api/v1").removesuffix("/api")
    return f"{url.scheme}://{url.netloc}{path}"


def is_plain(server: str) -> bool:
    """Whether what is sent there can be read on the way."""
    url = urlsplit(server)
    return url.scheme == "http" and url.hostname not in LOOPBACK


@dataclass(frozen=True)
class Context:
    """One server, and as whom. `org` and `vdc`: where names are looked for unless something else is said.

    `ca_file`: whom to trust instead of the system's authorities. `client_cert`, `client_key`: one's own certificate, for
    servers that ask for one. `live_server`: where the live stream is, if not at `server`.
    """

    name: str
    server: str
    username: str = ""
    ca_file: str = ""
    org: str = ""
    vdc: str = ""
    client_cert: str = ""
    client_key: str = ""
    insecure: bool = False
    live_server: str = ""


@dataclass
class Contexts:
    """All of them, and which is meant when none is named."""

    current: str = ""
    by_name: dict[str, Context] = field(default_factory=dict)

    @classmethod
    def load(cls) -> "Contexts":
        found = read(folder() / "contexts.json")
        try:
            known = {name: Context(name=name, **value) for name, value in found.get("contexts", {}).items()}
        except (AttributeError, TypeError):
            raise broken(folder() / "contexts.json") from None
        return cls(str(found.get("current") or ""), known)

    def save(self) -> None:
        contexts = {name: asdict(context) for name, context in self.by_name.items()}
        for value in contexts.values():
            del value["name"]
        write(folder() / "contexts.json", {"current": self.current, "contexts": contexts})

    def pick(self, name: str | None) -> Context:
        """The named one, or the current one."""
        server = os.environ.get("OVIM_SERVER", "")
        if server and not name:
            return self._of_server(server)
        wanted = name or self.current
        if not wanted:
            raise CliError(Exit.NOT_ALLOWED, "You are not signed in to any server.", f"{SIGN_IN} --server URL")
        if wanted not in self.by_name:
            known = ", ".join(sorted(self.by_name)) or "none"
            raise CliError(Exit.NOT_FOUND, f"There is no context {wanted!r}. There are: {known}.")
        return self.by_name[wanted]

    def _of_server(self, server: str) -> Context:
        """OVIM_SERVER: the current context if it is that server's, else another of it, else one without a name's past."""
        address = clean_server(server)
        known = [context for context in self.by_name.values() if context.server == address]
        return next(
            (context for context in known if context.name == self.current),
            known[0] if known else Context(address, address),
        )


@contextmanager
def changing() -> Iterator[Contexts]:
    """The contexts, to be changed while no other process changes them; saved when the block ends well."""
    with locked(folder() / "contexts.lock"):
        contexts = Contexts.load()
        yield contexts
        contexts.save()


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(Exit.FAILED, f"{path} can't be made: {error.strerror}.") from None


def read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CliError(Exit.FAILED, f"{path} can't be read: {error.strerror}.") from None
    except ValueError:
        raise broken(path) from None
    if not isinstance(found, dict):
        raise broken(path)
    return found


def broken(path: Path) -> CliError:
    return CliError(Exit.FAILED, f"{path} is not what ovim wrote there.", "Remove it, then sign in again: ovim login")


def write(path: Path, content: dict[str, Any]) -> None:
    """Under the file's lock, so that the name of what becomes it can be a fixed one."""
    _make_folder(path.parent)
    new = path.with_name(f".{path.name}.new")
    try:
        new.unlink(missing_ok=True)  # left by a process that was killed; made anew for its mode's sake
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1)
            file.flush()
            os.fsync(file.fileno())  # a refresh token that was traded and then lost would end the session
        new.replace(path)
    except OSError as error:
        raise CliError(Exit.FAILED, f"{path} can't be written: {error.strerror}.") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    _make_folder(path.parent)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CliError(Exit.FAILED, f"{path} can't be opened: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
