"""Validation of built-in kinds by key; each kind's rules live in `rules_*.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox import (
    rules_admission,
    rules_cluster,
    rules_config,
    rules_crd,
    rules_limits,
    rules_network,
    rules_quota,
    rules_rbac,
    rules_service,
    rules_storage,
    rules_workloads,
)
from clusters.sandbox.errors import FieldError
from clusters.sandbox.store import Store

Object = dict[str, Any]
Rule = Callable[[Object, "Object | None", Store], list[FieldError]]
RULES: dict[str, Rule] = {
    "secrets": rules_config.secret,
    "configmaps": rules_config.config_map,
    "services": rules_service.service,
    "persistentvolumeclaims": rules_storage.claim,
    "namespaces": rules_cluster.namespace,
    "priorityclasses.scheduling.k8s.io": rules_cluster.priority_class,
    "leases.coordination.k8s.io": rules_cluster.lease,
    "storageclasses.storage.k8s.io": rules_storage.storage_class,
    "resourcequotas": rules_quota.quota,
    "limitranges": rules_limits.limit_range,
    "roles.rbac.authorization.k8s.io": rules_rbac.role,
    "clusterroles.rbac.authorization.k8s.io": rules_rbac.cluster_role,
    "rolebindings.rbac.authorization.k8s.io": rules_rbac.binding,
    "clusterrolebindings.rbac.authorization.k8s.io": rules_rbac.binding,
    "networkpolicies.networking.k8s.io": rules_network.network_policy,
    "customresourcedefinitions.apiextensions.k8s.io": rules_crd.definition,
    "pods": rules_config.pod,
    "deployments.apps": rules_workloads.deployment,
    "replicasets.apps": rules_workloads.replica_set,
    "statefulsets.apps": rules_workloads.stateful_set,
    "daemonsets.apps": rules_workloads.daemon_set,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": rules_admission.webhooks,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": rules_admission.webhooks,
    "validatingadmissionpolicies.admissionregistration.k8s.io": rules_admission.policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": rules_admission.policy_binding,
}


def errors(key: str, new: Object, old: Object | None, store: Store) -> list[FieldError]:
    rule = RULES.get(key)
    return rule(new, old, store) if rule else []
