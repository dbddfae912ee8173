"""Who asks, and whether stored RBAC objects let them (k8s-transcript 11).

The holder of the server's token is an administrator. Impersonated users are judged by the Roles and bindings in the
store; resourceNames and aggregated ClusterRoles are evaluated as written, escalation checks are not made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clusters.sandbox.call import User
from clusters.sandbox.errors import bad_request, error, forbidden
from clusters.sandbox.routes import Target
from clusters.sandbox.store import Store

Object = dict[str, Any]
RBAC = "rbac.authorization.k8s.io"
ANONYMOUS = User("system:anonymous", ("system:unauthenticated",), admin=False)
OPEN_PATHS = ("/healthz", "/livez", "/readyz", "/version")


def identify(headers: Mapping[str, list[str]], token: str) -> User:
    """The user of a request; a wrong token is 401, none is anonymous."""
    given = headers.get("authorization")
    if not given:
        user = ANONYMOUS
    elif given[0] == f"Bearer {token}":
        user = User()
    else:
        raise error(401, "Unauthorized", "Unauthorized")
    name = headers.get("impersonate-user")
    groups = tuple(headers.get("impersonate-group", ()))
    if not name:
        if groups:
            listed = ", ".join(f'"{group}"' for group in groups)
            who = f'&user.DefaultInfo{{Name:"", UID:"", Groups:[]string{{{listed}}}, Extra:map[string][]string(nil)}}'
            raise bad_request(f"requested {who} without impersonating a user name")
        return user
    return _impersonated(name[0], groups)


def _impersonated(name: str, groups: tuple[str, ...]) -> User:
    admin = "system:masters" in groups
    if name.startswith("system:serviceaccount:") and not groups:
        namespace = name.split(":")[2]
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    if name != "system:anonymous" and "system:authenticated" not in groups:
        groups = (*groups, "system:authenticated")
    return User(name, groups, admin)


def require(store: Store, user: User, verb: str, target: Target) -> None:
    """Raises the 403 that names user, verb and resource."""
    if user.admin or allowed(store, user, verb, target):
        return
    resource = target.resource
    named = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {verb} resource "{named}" in API group "{resource.group}" {where}'
    name = "" if verb == "create" and not target.subresource else target.name
    raise forbidden(resource.plural, resource.group, name, why)


def require_path(user: User, verb: str, path: str) -> None:
    """Non-resource paths: anonymous users see health and version only."""
    if user.name != "system:anonymous" or path.startswith(OPEN_PATHS):
        return
    message = f'forbidden: User "{user.name}" cannot {verb} path "{path}"'
    raise error(403, "Forbidden", message, {})


def allowed(store: Store, user: User, verb: str, target: Target) -> bool:
    return any(_permits(rule, verb, target) for rule in _rules(store, user, target.namespace))


def _permits(rule: Object, verb: str, target: Target) -> bool:
    resource = target.resource
    named = f"{resource.plural}/{target.subresource}" if target.subresource else resource.plural
    names = rule.get("resourceNames") or ()
    return (
        bool({"*", verb} & set(rule.get("verbs") or ()))
        and bool({"*", resource.group} & set(rule.get("apiGroups") or ()))
        and bool({"*", named, f"*/{target.subresource}"} & set(rule.get("resources") or ()))
        and (not names or target.name in names)
    )


def _rules(store: Store, user: User, namespace: str | None) -> Iterator[Object]:
    for stored in store.shelf(f"clusterrolebindings.{RBAC}").items():
        if _binds(stored.obj, user, ""):
            yield from _role_rules(store, stored.obj["roleRef"], None)
    if namespace is None:
        return
    for stored in store.shelf(f"rolebindings.{RBAC}").items(namespace):
        if _binds(stored.obj, user, namespace):
            yield from _role_rules(store, stored.obj["roleRef"], namespace)


def _binds(binding: Object, user: User, namespace: str) -> bool:
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name", "")
        if kind == "User" and name == user.name:
            return True
        if kind == "Group" and name in user.groups:
            return True
        account = f"system:serviceaccount:{subject.get('namespace') or namespace}:{name}"
        if kind == "ServiceAccount" and account == user.name:
            return True
    return False


def _role_rules(store: Store, ref: Object, namespace: str | None) -> list[Object]:
    if ref.get("kind") == "Role" and namespace:
        stored = store.get(f"roles.{RBAC}", f"{namespace}/{ref['name']}")
    else:
        stored = store.get(f"clusterroles.{RBAC}", ref["name"])
    return list(stored.obj.get("rules") or ()) if stored else []
