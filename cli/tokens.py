"""Where a context's tokens are kept: in the desktop's keyring if one works, else in a file that is its owner's alone (0600).

The file says which: it holds the tokens, or only that the keyring does. `keyring` is imported only then, and at login.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import quote

from cli.config import broken, folder, locked, read, write
from cli.errors import CliError, Exit

SERVICE = "ovim"


@dataclass(frozen=True)
class Pair:
    """The tokens of a session, and (by this machine's clock) when the first of them is no longer good."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: float


class Tokens:
    """The tokens of one context. A refresh token is good once, so it is traded under `lock`."""

    def __init__(self, context: str) -> None:
        self._context = context
        self._file = folder() / "tokens" / f"{_file_name(context)}.json"

    def load(self) -> Pair | None:
        found = read(self._file)
        if not found:
            return None
        if found == {"in": "keyring"}:
            found = self._from_keyring()
        try:
            return Pair(**found)
        except TypeError:
            raise broken(self._file) from None

    def save(self, pair: Pair, *, in_keyring: bool | None = None) -> str:
        """Under `lock`. `in_keyring`: try it, don't, or (None) where the last ones are. Answers "keyring" or "file"."""
        wanted = read(self._file) == {"in": "keyring"} if in_keyring is None else in_keyring
        if wanted and self._to_keyring(pair):
            write(self._file, {"in": "keyring"})
            return "keyring"
        write(self._file, asdict(pair))
        return "file"

    def forget(self) -> None:
        if read(self._file) == {"in": "keyring"}:
            ring = _keyring()
            if ring is not None:
                try:
                    ring.delete_password(SERVICE, self._context)
                except Exception as error:  # every backend has its own
                    raise CliError(Exit.FAILED, f"The keyring does not let go of the tokens: {error}") from None
        self._file.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        with locked(self._file.with_suffix(".lock")):
            yield

    def _from_keyring(self) -> dict[str, Any]:
        ring = _keyring()
        try:
            text = ring.get_password(SERVICE, self._context) if ring is not None else None
            found = json.loads(text or "null")
        except Exception as error:  # as above
            raise CliError(
                Exit.NOT_ALLOWED, f"The keyring can't be read: {error}", "Sign in with: ovim login"
            ) from None
        if not isinstance(found, dict):
            raise CliError(
                Exit.NOT_ALLOWED, "The tokens are in a keyring that is not here.", "Sign in with: ovim login"
            )
        return found

    def _to_keyring(self, pair: Pair) -> bool:
        """Whether they can be read from it again: as root or without a desktop it often only pretends."""
        ring = _keyring()
        if ring is None:
            return False
        text = json.dumps(asdict(pair))
        try:
            ring.set_password(SERVICE, self._context, text)
            return bool(ring.get_password(SERVICE, self._context) == text)
        except Exception:  # a keyring that does not work: the file is there for that, and login says so
            return False


def _keyring() -> Any:
    try:
        return import_module("keyring")
    except ImportError:
        return None


def _file_name(context: str) -> str:
    """A context's name as a file's: nothing in it can leave the folder, and no two are the same."""
    return quote(context, safe="").replace(".", "%2E")
