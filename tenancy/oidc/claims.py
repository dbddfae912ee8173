"""What a provider says of somebody, in the shapes that Keycloak, Dex, Entra and Okta give it. No I/O."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

Claims = Mapping[str, Any]
MOST_VALUES = 2000  # of one claim that are looked at
_NOT_IN_NAMES = re.compile(r"[^a-z0-9._@+-]+")
_EDGES = re.compile(r"^[^a-z0-9]+|[^a-z0-9]+$")


@dataclass(frozen=True)
class Proven:
    """Who it is, as the provider has proven it."""

    issuer: str
    subject: str
    sid: str = ""
    id_token: str = field(default="", repr=False)
    claims: Claims = field(default_factory=dict, repr=False)
    second_factor: bool = False


def at(claims: Claims, path: str) -> Any:
    """What stands at `groups`, or at `realm_access.roles`. A name that has dots of its own goes first."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


def values(claims: Claims, path: str) -> list[str]:
    """A list's texts, or a single text. Whatever else stands there is no value of a group."""
    found = at(claims, path)
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list):
        return []
    return [item for item in found[:MOST_VALUES] if isinstance(item, str) and item and item.isprintable()]


def text(claims: Claims, path: str) -> str:
    found = at(claims, path)
    return found.strip() if isinstance(found, str) and found.isprintable() else ""


def left_out(claims: Claims, path: str) -> bool:
    """The provider says that it has this claim and did not send it: Entra with too many groups (`_claim_names`)."""
    names = claims.get("_claim_names")
    elsewhere = isinstance(names, Mapping) and path in names
    flagged = path == "groups" and claims.get("hasgroups") in (True, "true")
    return (elsewhere or flagged) and at(claims, path) is None


def passes(match: str, wanted: str, value: str) -> bool:
    """One value against a rule: exact, prefix or glob. Case matters, as it does to providers."""
    if match == "prefix":
        return value.startswith(wanted)
    return fnmatchcase(value, wanted.replace("[", "[[]")) if match == "glob" else value == wanted


def second_factor_given(claims: Claims, accepted: Collection[str]) -> bool:
    """Whether `amr` or `acr` has one of the values that say so."""
    told = {*values(claims, "amr"), *values(claims, "acr")}
    return not told.isdisjoint(accepted)


def username_of(claims: Claims, paths: Sequence[str]) -> str:
    """A user name by the first of these claims that makes one: lower case, with what ours may have in them."""
    for path in paths:
        name = _EDGES.sub("", _NOT_IN_NAMES.sub("-", text(claims, path).lower()))[:140]
        name = _EDGES.sub("", name)
        if name:
            return name
    return "user"


def email_of(claims: Claims, path: str) -> str:
    """Empty where the provider itself says that nobody has proven it."""
    found = text(claims, path)
    unproven = path == "email" and claims.get("email_verified") in (False, "false")
    try:
        validate_email(found)
    except ValidationError:
        return ""
    return "" if unproven or len(found) > 254 else found
