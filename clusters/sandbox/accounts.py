"""Controllers of identity: ClusterRoles that collect others' rules, Secrets that carry the token of an account."""

from __future__ import annotations

import base64
from typing import Any

from clusters.sandbox import rbac
from clusters.sandbox.call import Call
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.selectors import matches_selector
from clusters.sandbox.store import Change
from clusters.sandbox.tokens import Tokens

Object = dict[str, Any]
MANAGER = "kube-controller-manager"
COLLECTOR = "clusterrole-aggregation-controller"
ACCOUNT = "kubernetes.io/service-account."
TOKEN_TYPE = "kubernetes.io/service-account-token"  # noqa: S105 - a type of Secrets


class Aggregation:
    """Replaces the rules of every ClusterRole that has an aggregationRule by those it selects."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._due = False
        cluster.observe(self._changed)

    def _changed(self, resource: str, _change: Change) -> None:
        if resource == rbac.CLUSTER_ROLES and not self._due:
            self._due = True
            self.cluster.after(0, self.settle)

    def settle(self) -> None:
        """One round; a role that changed wakes the next, until chains (view into edit into admin) are through."""
        self._due = False
        shelf = self.cluster.store.shelf(rbac.CLUSTER_ROLES)
        for stored in list(shelf.items()):
            selectors = (stored.obj.get("aggregationRule") or {}).get("clusterRoleSelectors")
            if not selectors:
                continue
            rules: list[Object] = []
            for selector in selectors:
                for other in shelf.items():
                    if other is stored or not matches_selector(selector, other.obj):
                        continue
                    rules += [rule for rule in other.obj.get("rules") or () if rule not in rules]
            if rules != (stored.obj.get("rules") or []):
                self._apply(stored.meta["name"], rules)

    def _apply(self, name: str, rules: list[Object]) -> None:
        resource = self.cluster.resource(rbac.CLUSTER_ROLES)
        call = Call(resource, None, name, manager=COLLECTOR, force=True, internal=True)
        role = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": name}, "rules": rules}
        self.cluster.writer.apply(call, role)


class AccountSecrets:
    """Fills Secrets of type service-account-token, and deletes those whose account is gone."""

    def __init__(self, cluster: Cluster, tokens: Tokens, ca_bundle: str) -> None:
        self.cluster, self.tokens, self.ca_bundle = cluster, tokens, ca_bundle
        cluster.subscribe(["secrets"], self._wake)
        cluster.observe(self._changed)

    def _wake(self, _resource: str, namespace: str | None, name: str) -> None:
        secret = self.cluster.get("secrets", namespace, name)
        if secret is None or secret.get("type") != TOKEN_TYPE or (secret.get("data") or {}).get("token"):
            return
        annotations = secret["metadata"].get("annotations") or {}
        account = self.cluster.get("serviceaccounts", namespace, annotations.get(f"{ACCOUNT}name", ""))
        if account is None:
            self.cluster.delete("secrets", namespace, name)
            return
        values = {
            "token": self.tokens.issue_legacy(account, secret),
            "ca.crt": self.ca_bundle,
            "namespace": namespace or "",
        }
        secret["data"] = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        secret["metadata"]["annotations"] = {**annotations, f"{ACCOUNT}uid": account["metadata"]["uid"]}
        self.cluster.controller_write("secrets", secret, manager=MANAGER)

    def _changed(self, resource: str, change: Change) -> None:
        if resource == "serviceaccounts" and change.kind == "DELETED":
            namespace, _, name = change.key.partition("/")
            self.cluster.after(0, lambda: self._forget(namespace, name))

    def _forget(self, namespace: str, account: str) -> None:
        for stored in list(self.cluster.store.shelf("secrets").items(namespace)):
            named = (stored.meta.get("annotations") or {}).get(f"{ACCOUNT}name")
            if stored.obj.get("type") == TOKEN_TYPE and named == account:
                self.cluster.delete("secrets", namespace, stored.meta["name"])
