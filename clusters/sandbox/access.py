"""Who asks, for whom, and whether the stored RBAC objects let them (k8s-transcript 11).

The holder of the server's token is an administrator; service accounts come with tokens that the server signed.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

import orjson

from clusters.sandbox import rbac
from clusters.sandbox.call import Call, User
from clusters.sandbox.client_certificates import ClientAuthority, UntrustedError
from clusters.sandbox.errors import ApiError, bad_request, error, forbidden
from clusters.sandbox.rbac import Wish
from clusters.sandbox.routes import Target
from clusters.sandbox.store import Store
from clusters.sandbox.tokens import Tokens
from clusters.sandbox.wire import Request

ANONYMOUS = User("system:anonymous", ("system:unauthenticated",), admin=False)
AUTHENTICATION = "authentication.k8s.io"
SELECTING = {"list", "watch", "deletecollection"}
EXTRA = "impersonate-extra-"
Headers = Mapping[str, list[str]]


def identify(request: Request, token: str, tokens: Tokens, authority: ClientAuthority | None = None) -> User:
    """The user of a request: by certificate, else by token. None of them is anonymous; only ones that fail are 401."""
    found, refused = _by_certificate(request, authority)
    if found is not None:
        return found
    given = request.headers.get("authorization")
    if given:
        kind, _, value = given[0].partition(" ")
        found = authenticate(value.strip(), token, tokens) if kind.lower() == "bearer" else None
        refused = refused or found is None
    if found is None and refused:
        raise error(401, "Unauthorized", "Unauthorized")
    return found or ANONYMOUS


def _by_certificate(request: Request, authority: ClientAuthority | None) -> tuple[User | None, bool]:
    """The user; and whether there is a certificate that does not tell."""
    if authority is None or not request.presented:
        return None, False
    try:
        return authority.user(request.presented), False
    except UntrustedError:
        return None, True


def authenticate(value: str, token: str, tokens: Tokens) -> User | None:
    return User() if value == token else tokens.user(value)


def acting_as(store: Store, user: User, headers: Headers, wish: Wish) -> User:
    """The user that the Impersonate headers ask for, when `user` may be all of him."""
    if not any(key.startswith("impersonate-") for key in headers):
        return user
    names, groups = headers.get("impersonate-user"), tuple(headers.get("impersonate-group", ()))
    uid = "".join(headers.get("impersonate-uid", ()))
    extra = {unquote(key.removeprefix(EXTRA)): list(values) for key, values in headers.items() if key.startswith(EXTRA)}
    if not names or not names[0]:
        if groups or uid or extra:
            raise bad_request(f"requested {_go_user(groups, uid, extra)} without impersonating a user name")
        return user
    name = names[0]
    _may_impersonate(store, user, name, wish)
    _may_be(store, user, [Wish("impersonate", "", "groups", name=group) for group in groups])
    extras = [(key, value) for key, values in extra.items() for value in values]
    _may_be(store, user, [Wish("impersonate", AUTHENTICATION, "userextras", key, name=value) for key, value in extras])
    if uid:
        _may_be(store, user, [Wish("impersonate", AUTHENTICATION, "uids", name=uid)])
    return _impersonated(name, groups, uid, extra)


def _go_user(groups: tuple[str, ...], uid: str, extra: Mapping[str, list[str]]) -> str:
    listed = ", ".join(f'"{group}"' for group in groups)
    shown_groups = f"[]string{{{listed}}}" if groups else "[]string(nil)"
    pairs = ", ".join(
        f'"{key}":[]string{{{", ".join(orjson.dumps(v).decode() for v in values)}}}' for key, values in extra.items()
    )
    shown_extra = f"map[string][]string{{{pairs}}}" if extra else "map[string][]string(nil)"
    return f'&user.DefaultInfo{{Name:"", UID:"{uid}", Groups:{shown_groups}, Extra:{shown_extra}}}'


def _may_impersonate(store: Store, user: User, name: str, wish: Wish) -> None:
    """The name itself; who has no right to it reads the refusal of Kubernetes 1.36, which names what he asked for."""
    kind = "user-info"
    needed = Wish("impersonate", "", "users", name=name)
    if name.startswith("system:serviceaccount:") and name.count(":") == 3:
        _, _, namespace, account = name.split(":")
        kind, needed = "serviceaccount", Wish("impersonate", "", "serviceaccounts", namespace=namespace, name=account)
    if not rbac.judge(store, user, needed).allowed:
        raise refusal(user, Wish(f"impersonate-on:{kind}:{wish.verb}", *_rest(wish)), "")


def _rest(wish: Wish) -> tuple[str, ...]:
    return wish.group, wish.resource, wish.subresource, wish.namespace, wish.name, wish.path


def _may_be(store: Store, user: User, wishes: list[Wish]) -> None:
    for wish in wishes:
        verdict = rbac.judge(store, user, wish)
        if not verdict.allowed:
            raise refusal(user, wish, verdict.reason)


def _impersonated(name: str, groups: tuple[str, ...], uid: str, extra: dict[str, list[str]]) -> User:
    if name.startswith("system:serviceaccount:") and not groups:
        namespace = name.split(":")[2]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    if name == "system:anonymous":
        groups = groups or ("system:unauthenticated",)
    elif not {"system:authenticated", "system:unauthenticated"} & set(groups):
        groups = (*groups, "system:authenticated")
    return User(name, groups, rbac.MASTERS in groups, uid, extra)


def wish_of(verb: str, target: Target, query: Mapping[str, str]) -> Wish:
    """A list or watch of one name, by its field selector, is judged as one of that name."""
    resource = target.resource
    name = target.name or target.only
    selector = query.get("fieldSelector", "")
    if not name and verb in SELECTING and selector.startswith("metadata.name=") and "," not in selector:
        name = selector.partition("=")[2].lstrip("=")
    namespace = target.name if resource.key == "namespaces" else target.namespace  # a namespace is in itself
    return Wish(verb, resource.group, resource.plural, target.subresource, namespace or "", name)


def require(store: Store, user: User, wish: Wish) -> None:
    """Raises the 403 that names user, verb and resource or path."""
    if user.admin:
        return
    verdict = rbac.judge(store, user, wish)
    if not verdict.allowed:
        raise refusal(user, wish, verdict.reason)


def require_create(store: Store, call: Call) -> None:
    """An apply that makes its object needs `create` besides `patch`."""
    resource = call.resource
    require(store, call.user, Wish("create", resource.group, resource.plural, "", call.namespace or "", call.name))


def refusal(user: User, wish: Wish, reason: str) -> ApiError:
    tail = f": {reason}" if reason else ""
    if wish.path:
        return error(403, "Forbidden", f'forbidden: User "{user.name}" cannot {wish.verb} path "{wish.path}"{tail}', {})
    where = f'in the namespace "{wish.namespace}"' if wish.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {wish.verb} resource "{wish.named}" in API group "{wish.group}" {where}{tail}'
    return forbidden(wish.resource, wish.group, wish.name, why)
