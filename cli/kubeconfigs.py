"""A kubeconfig read here, where its files are: what leaves this machine is one context, with no other's credentials in it."""

import base64
import json
import os
from pathlib import Path
from typing import Any

from cli.errors import CliError, Exit

LARGEST = 1024 * 1024
PAIR = ("client-certificate", "client-key")
SENT = ("token", *(f"{name}-data" for name in PAIR))


def one_context(path: str, context: str) -> str:
    """The context (default: the current one) as a kubeconfig of its own, its files put into it."""
    import yaml  # noqa: PLC0415  # slow to import

    try:
        body = yaml.safe_load(Path(path).read_text(encoding="utf-8")[:LARGEST]) or {}
        name = context or body["current-context"]
        place = _named(body, "contexts", "context", name)
        cluster = dict(_named(body, "clusters", "cluster", place["cluster"]))
        user = dict(_named(body, "users", "user", place["user"]))
    except OSError as error:
        raise CliError(Exit.USAGE, f"{path} can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        raise CliError(Exit.USAGE, f"{path} is no kubeconfig with such a context ({error}).") from None
    folder = Path(path).parent
    for entry, names in ((cluster, ("certificate-authority",)), (user, PAIR)):
        for named in names:
            file = entry.pop(named, None)
            if file and not entry.get(f"{named}-data"):
                entry[f"{named}-data"] = base64.b64encode(_read(folder, file)).decode()
    if file := user.pop("tokenFile", None):
        user["token"] = _read(folder, file).decode().strip()
    return json.dumps(
        {
            "current-context": name,
            "contexts": [{"name": name, "context": {"cluster": "cluster", "user": "user"}}],
            "clusters": [{"name": "cluster", "cluster": cluster}],
            # Of other ways to sign in only the name is sent, for the server to refuse: what they hold stays here.
            "users": [{"name": "user", "user": {key: _told(key, value) for key, value in user.items()}}],
        }
    )


def _told(key: str, value: Any) -> Any:
    return value if key in SENT else bool(value)


def _named(body: Any, part: str, inner: str, name: Any) -> dict[str, Any]:
    found = next((item[inner] for item in body.get(part) or () if item["name"] == name), None)
    if not isinstance(found, dict):
        raise KeyError(f"{inner} {name!r}")
    return found


def _read(folder: Path, name: Any) -> bytes:
    try:
        return (folder / os.path.expanduser(str(name))).read_bytes()
    except OSError as error:
        raise CliError(Exit.USAGE, f"The kubeconfig names {name}, which can't be read: {error.strerror}.") from None
