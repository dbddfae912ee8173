"""How people say where a cluster is: a kubeconfig, or server, token and CA. Shape only; nothing is asked of anybody."""

from collections.abc import Mapping
from typing import Any

from clusters.kubeconfig import Access, Unusable, parse
from core.errors import Invalid


def access_of(given: Mapping[str, Any]) -> tuple[Access, str]:
    """The access, and the field that all of it was written in (empty: each in its own). Invalid by field and rule."""
    if given["kubeconfig"]:
        twice = next((name for name in ("server", "token", "ca") if given[name]), None)
        if twice is not None:
            raise Invalid.field(twice, "one_of", f"Give a kubeconfig or {twice}, not both.")
        try:
            return parse(given["kubeconfig"], given["context"]), "kubeconfig"
        except Unusable as error:
            raise Invalid.field(
                "context" if error.rule == "no_context" else "kubeconfig", error.rule, str(error)
            ) from None
    for name in ("server", "token"):
        if not given[name].strip():
            raise Invalid.field(name, "required", "Give a kubeconfig, or server and token.")
    if not given["token"].isascii() or any(character.isspace() for character in given["token"].strip()):
        raise Invalid.field("token", "format", "A token is one word of ASCII characters.")
    return Access(given["server"].strip().rstrip("/"), given["token"].strip(), given["ca"]), ""
