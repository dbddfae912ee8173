"""What the server warns of when it stores an object of a built-in kind."""

from __future__ import annotations

import base64
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from clusters.sandbox import network, pod_warnings, quantity, rules_batch, rules_ingress
from clusters.sandbox.objectmeta import quoted

Object = dict[str, Any]


def of(key: str, obj: Object, old: Object | None = None) -> list[str]:
    rule = WARNINGS.get(key)
    if rule is None or (old is not None and key in WHEN_NEW):
        return []
    if old is not None and key in WHEN_OTHER and obj["spec"] == old["spec"]:
        return []
    return rule(obj)


def _secret(obj: Object) -> list[str]:
    """A certificate and a key that don't make a pair are stored all the same."""
    if obj.get("type") != "kubernetes.io/tls":
        return []
    data = obj.get("data") or {}
    certificate, key = (base64.b64decode(data.get(name, "")) for name in ("tls.crt", "tls.key"))
    for name, text in (("certificate", certificate), ("key", key)):
        if b"-----BEGIN " not in text:
            return [f"tls: failed to find any PEM data in {name} input"]
    try:
        public = x509.load_pem_x509_certificate(certificate).public_key()
        private = serialization.load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):
        return []
    if type(public) is not type(private):
        return ["tls: private key type does not match public key type"]
    same = public.public_bytes(*SPOKEN) == private.public_bytes(*SPOKEN)
    return [] if same else ["tls: private key does not match public key"]


SPOKEN = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _service(obj: Object) -> list[str]:
    spec = obj["spec"]
    kind, outside = spec.get("type"), spec.get("externalIPs")
    headless = kind == "ClusterIP" and network.headless(spec)
    out: list[str] = []
    if headless:
        if spec.get("loadBalancerIP"):
            out.append("spec.loadBalancerIP is ignored for headless services")
        if outside:
            out.append("spec.externalIPs is ignored for headless services")
        if spec.get("sessionAffinity") != "None":
            out.append("spec.SessionAffinity is ignored for headless services")
    if outside and not headless and kind != "ExternalName":
        out.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    for i, value in enumerate(spec.get("loadBalancerSourceRanges") or ()):
        out += _cidr(f"spec.loadBalancerSourceRanges[{i}]", value.strip())
    if kind == "ExternalName" and outside:
        out.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if kind != "ExternalName" and spec.get("externalName"):
        out.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.get("trafficDistribution") == "PreferClose":
        out.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return out


def _cidr(path: str, value: str) -> list[str]:
    """An address of a machine where that of a network belongs."""
    whole = ip_network(value, strict=False)
    address = value.partition("/")[0]
    if str(whole.network_address) == address:
        return []
    one = f"{address}/{whole.max_prefixlen}"
    return [f'{path}: CIDR value "{value}" is ambiguous in this context (should be "{whole}" or "{one}"?)']


def _network_policy(obj: Object) -> list[str]:
    out: list[str] = []
    for side, peers in (("ingress", "from"), ("egress", "to")):
        for i, rule in enumerate(obj["spec"].get(side) or ()):
            for j, peer in enumerate(rule.get(peers) or ()):
                block, path = peer.get("ipBlock") or {}, f"spec.{side}[{i}].{peers}[{j}].ipBlock"
                if block:
                    out += _cidr(f"{path}.cidr", block["cidr"])
                for k, value in enumerate(block.get("except") or ()):
                    out += _cidr(f"{path}.except[{k}]", value)
    return out


def _claim(obj: Object) -> list[str]:
    out: list[str] = []
    name = "volume.beta.kubernetes.io/storage-class"
    if name in (obj["metadata"].get("annotations") or {}):
        text = 'deprecated since v1.8; use "storageClassName" attribute instead'
        out.append(f"metadata.annotations[{name}]: {text}")
    for side in ("requests", "limits"):
        size = ((obj["spec"].get("resources") or {}).get(side) or {}).get("storage")
        if size is not None and quantity.parse(size) % 1:
            text = f"fractional byte value {quoted(size)} is invalid, must be an integer"
            out.append(f"spec.resources.{side}[storage]: {text}")
    return out


def _volume(obj: Object) -> list[str]:
    if obj["spec"].get("persistentVolumeReclaimPolicy") != "Recycle":
        return []
    text = "The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning."
    return [f"spec.persistentVolumeReclaimPolicy: {text}"]


def _slice(obj: Object) -> list[str]:
    return ["spec.addressType: FQDN endpoints are deprecated"] if obj.get("addressType") == "FQDN" else []


WHEN_OTHER = {f"{plural}.apps" for plural in ("deployments", "replicasets", "statefulsets", "daemonsets")}
WHEN_NEW = {"ingresses.networking.k8s.io", "jobs.batch", "cronjobs.batch"}  # that are warned of only once
WARNINGS: dict[str, Callable[[Object], list[str]]] = {
    "secrets": _secret,
    "services": _service,
    "networkpolicies.networking.k8s.io": _network_policy,
    "persistentvolumeclaims": _claim,
    "persistentvolumes": _volume,
    "endpointslices.discovery.k8s.io": _slice,
    "pods": pod_warnings.pod,
    "deployments.apps": pod_warnings.workload,
    "replicasets.apps": pod_warnings.workload,
    "statefulsets.apps": pod_warnings.workload,
    "daemonsets.apps": pod_warnings.workload,
    "ingresses.networking.k8s.io": rules_ingress.warnings,
    "jobs.batch": rules_batch.name_warnings,
    "cronjobs.batch": rules_batch.name_warnings,
}
