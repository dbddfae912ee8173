"""What the stored Roles and bindings grant (k8s-transcript 11, 12). Rules are evaluated as written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from clusters.sandbox.call import User
from clusters.sandbox.store import Store

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
ROLES, CLUSTER_ROLES = f"roles.{GROUP}", f"clusterroles.{GROUP}"
BINDINGS, CLUSTER_BINDINGS = f"rolebindings.{GROUP}", f"clusterrolebindings.{GROUP}"
MASTERS = "system:masters"


@dataclass(frozen=True)
class Wish:
    """What is asked: a verb on a resource, or with `path` on a URL that is no resource."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def named(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


@dataclass
class Verdict:
    """`reason` says which binding allows, or which roles could not be found."""

    allowed: bool
    reason: str = ""


@dataclass
class Granted:
    """The rules that hold for a user in a namespace, each with the words of the binding that gives it."""

    rules: list[tuple[Object, str]] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)  # roles that bindings name and nobody made

    @property
    def problem(self) -> str:
        if len(self.missing) > 1:
            return "[" + ", ".join(self.missing) + "]"
        return "".join(self.missing)


def judge(store: Store, user: User, wish: Wish) -> Verdict:
    """The answer of the authorizers in their order: system:masters, then RBAC."""
    if user.admin:
        return Verdict(True)
    granted = resolve(store, user, wish.namespace)
    for rule, words in granted.rules:
        if permits(rule, wish):
            return Verdict(True, f"RBAC: allowed by {words}")
    return Verdict(False, f"RBAC: {granted.problem}" if granted.missing else "")


def permits(rule: Object, wish: Wish) -> bool:
    verbs = rule.get("verbs") or ()
    if "*" not in verbs and wish.verb not in verbs:
        return False
    if wish.path:
        return any(url_matches(url, wish.path) for url in rule.get("nonResourceURLs") or ())
    groups = rule.get("apiGroups") or ()
    if "*" not in groups and wish.group not in groups:
        return False
    resources = rule.get("resources") or ()
    if (
        "*" not in resources
        and wish.named not in resources
        and not (wish.subresource and f"*/{wish.subresource}" in resources)
    ):
        return False
    names = rule.get("resourceNames") or ()
    return not names or wish.name in names


def url_matches(pattern: str, path: str) -> bool:
    return pattern in {"*", path} or (pattern.endswith("*") and path.startswith(pattern.rstrip("*")))


def resolve(store: Store, user: User, namespace: str) -> Granted:
    """Cluster-wide bindings first, then those of the namespace, by name.

    None at all until roles are read after a start: everybody but system:masters is refused meanwhile (k8s-transcript 17).
    """
    out = Granted()
    if not store.roles_read:
        return out
    for stored in store.shelf(CLUSTER_BINDINGS).items():
        subject = _subject(stored.obj, user, "")
        if subject:
            _add(store, out, stored.obj, subject, "")
    if namespace:
        for stored in store.shelf(BINDINGS).items(namespace):
            subject = _subject(stored.obj, user, namespace)
            if subject:
                _add(store, out, stored.obj, subject, namespace)
    return out


def _add(store: Store, out: Granted, binding: Object, subject: str, namespace: str) -> None:
    ref = binding["roleRef"]
    role = find_role(store, ref, namespace)
    if role is None:
        out.missing.append(f'{ref["kind"].lower()}.{GROUP} "{ref["name"]}" not found')
        return
    name = binding["metadata"]["name"]
    where = f'RoleBinding "{name}/{namespace}"' if namespace else f'ClusterRoleBinding "{name}"'
    words = f'{where} of {ref["kind"]} "{ref["name"]}" to {subject}'
    out.rules += [(rule, words) for rule in role.get("rules") or ()]


def find_role(store: Store, ref: Object, namespace: str) -> Object | None:
    if ref.get("kind") == "Role":
        stored = store.get(ROLES, f"{namespace}/{ref['name']}")
    else:
        stored = store.get(CLUSTER_ROLES, ref["name"])
    return stored.obj if stored else None


def _subject(binding: Object, user: User, namespace: str) -> str:
    """The words for the first subject of a binding that is this user; empty when none is."""
    for subject in binding.get("subjects") or ():
        kind, name = subject.get("kind"), subject.get("name", "")
        if (kind == "User" and name == user.name) or (kind == "Group" and name in user.groups):
            return f'{kind} "{name}"'
        home = subject.get("namespace") or namespace
        if kind == "ServiceAccount" and user.name == f"system:serviceaccount:{home}:{name}":
            return f'{kind} "{name}/{home}"'
    return ""


def listing(store: Store, user: User, namespace: str) -> Iterator[Object]:
    for rule, _words in resolve(store, user, namespace).rules:
        yield rule
