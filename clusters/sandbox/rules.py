"""Validation of built-in kinds by key; each kind's rules live in `rules_*.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clusters.sandbox import (
    rules_admission,
    rules_batch,
    rules_cluster,
    rules_config,
    rules_crd,
    rules_endpoints,
    rules_ingress,
    rules_limits,
    rules_network,
    rules_persistent,
    rules_pods,
    rules_quota,
    rules_rbac,
    rules_scaling,
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
    "pods": rules_pods.pod,
    "deployments.apps": rules_workloads.deployment,
    "replicasets.apps": rules_workloads.replica_set,
    "statefulsets.apps": rules_workloads.stateful_set,
    "daemonsets.apps": rules_workloads.daemon_set,
    "jobs.batch": rules_batch.job,
    "cronjobs.batch": rules_batch.cron_job,
    "horizontalpodautoscalers.autoscaling": rules_scaling.autoscaler,
    "poddisruptionbudgets.policy": rules_scaling.disruption_budget,
    "ingresses.networking.k8s.io": rules_ingress.ingress,
    "ingressclasses.networking.k8s.io": rules_ingress.ingress_class,
    "endpoints": rules_endpoints.endpoints,
    "endpointslices.discovery.k8s.io": rules_endpoints.endpoint_slice,
    "events": rules_endpoints.event,
    "persistentvolumes": rules_persistent.volume,
    "nodes": rules_cluster.node,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": rules_admission.webhooks,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": rules_admission.webhooks,
    "validatingadmissionpolicies.admissionregistration.k8s.io": rules_admission.policy,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": rules_admission.policy_binding,
}


JUDGED_TWICE = {"jobs.batch", "persistentvolumes", "nodes"}  # by an update: as a new object, and as a changed one


def errors(key: str, new: Object, old: Object | None, store: Store) -> list[FieldError]:
    rule = RULES.get(key)
    if rule is None:
        return []
    again = rule(new, None, store) if old is not None and key in JUDGED_TWICE else []
    return again + rule(new, old, store)
