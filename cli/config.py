"""What the command remembers, under $XDG_CONFIG_HOME/ovim: the contexts (which servers) and, apart, each one's tokens.

Every file is 0600 in a 0700 folder from the moment it exists, and is replaced as a whole: a reader never sees half of one.
`Tokens` is the only place that knows where tokens are kept.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cli.errors import CliError, Exit

SIGN_IN = "Sign in with: ovim login"


def folder() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    if not base or not os.path.isabs(base):  # the XDG specification: a relative path is to be ignored
        base = os.path.expanduser("~/.config")
    return Path(base) / "ovim"


@dataclass(frozen=True)
class Context:
    """One server, and as whom. `ca_file`: whom to trust instead of the system's authorities."""

    name: str
    server: str
    username: str = ""
    ca_file: str = ""


@dataclass
class Contexts:
    """All of them, and which is meant when none is named."""

    current: str = ""
    by_name: dict[str, Context] = field(default_factory=dict)

    @classmethod
    def load(cls) -> "Contexts":
        found = _read(folder() / "contexts.json")
        try:
            known = {name: Context(name=name, **value) for name, value in found.get("contexts", {}).items()}
        except (AttributeError, TypeError):
            raise _broken(folder() / "contexts.json") from None
        return cls(str(found.get("current") or ""), known)

    def save(self) -> None:
        contexts = {name: asdict(context) for name, context in self.by_name.items()}
        for value in contexts.values():
            del value["name"]
        _write(folder() / "contexts.json", {"current": self.current, "contexts": contexts})

    def pick(self, name: str | None) -> Context:
        """The named one, or the current one."""
        wanted = name or self.current
        if not wanted:
            raise CliError(Exit.NOT_ALLOWED, "You are not signed in to any server.", f"{SIGN_IN} --server URL")
        if wanted not in self.by_name:
            known = ", ".join(sorted(self.by_name)) or "none"
            raise CliError(Exit.NOT_FOUND, f"There is no context {wanted!r}. There are: {known}.")
        return self.by_name[wanted]


@contextmanager
def changing() -> Iterator[Contexts]:
    """The contexts, to be changed while no other process changes them; saved when the block ends well."""
    with _locked(folder() / "contexts.lock"):
        contexts = Contexts.load()
        yield contexts
        contexts.save()


@dataclass(frozen=True)
class Pair:
    """The tokens of a session, and (by this machine's clock) when the first of them is no longer good."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float


class Tokens:
    """Where the tokens of one context are kept. A refresh token is good once, so it is traded under `lock`."""

    def __init__(self, context: str) -> None:
        self._file = folder() / "tokens" / f"{_file_name(context)}.json"

    def load(self) -> Pair | None:
        found = _read(self._file)
        if not found:
            return None
        try:
            return Pair(**found)
        except TypeError:
            raise _broken(self._file) from None

    def save(self, pair: Pair) -> None:
        """Under `lock`."""
        _write(self._file, asdict(pair))

    def forget(self) -> None:
        self._file.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        with _locked(self._file.with_suffix(".lock")):
            yield


def _file_name(context: str) -> str:
    """A context's name as a file's: nothing in it can leave the folder, and no two are the same."""
    return quote(context, safe="").replace(".", "%2E")


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise CliError(Exit.FAILED, f"{path} can't be made: {error.strerror}.") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CliError(Exit.FAILED, f"{path} can't be read: {error.strerror}.") from None
    except ValueError:
        raise _broken(path) from None
    if not isinstance(found, dict):
        raise _broken(path)
    return found


def _broken(path: Path) -> CliError:
    return CliError(Exit.FAILED, f"{path} is not what ovim wrote there.", "Remove it, then sign in again: ovim login")


def _write(path: Path, content: dict[str, Any]) -> None:
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
def _locked(path: Path) -> Iterator[None]:
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
