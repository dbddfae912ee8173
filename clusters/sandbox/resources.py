"""Which resources exist: the built-in ones and those that CRDs add."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from clusters.sandbox.kinds import LIBRARY
from clusters.sandbox.schema import Node
from clusters.sandbox.structural import Schema, has_defaults, has_rules, root_node

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(slots=True, eq=False)
class Resource:
    """One resource in one version."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    node: Node
    singular: str = ""
    list_kind: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = VERBS
    status: bool = False  # has a /status subresource
    scale: dict[str, Any] | None = None
    generation: bool = False  # built-in kinds whose generation counts spec changes
    custom: bool = False
    schema: Schema = field(default_factory=dict)
    defaults: bool = False
    ruled: bool = False  # the schema has rules in CEL
    columns: list[dict[str, Any]] = field(default_factory=list)
    selectable: tuple[str, ...] = ()
    deprecation: str = ""

    @property
    def key(self) -> str:
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


def builtin_node(kind: str) -> Node:
    struct = LIBRARY.struct(kind)
    text = LIBRARY.parse("str")
    return Node(
        "struct",
        go=f"v1.{kind}",
        fields={"kind": text, "apiVersion": text, "metadata": LIBRARY.struct("ObjectMeta"), **struct.fields},
    )


# group/version plural Kind scope(N|C) flags short names (comma) categories
# flags: s = status subresource, g = generation, c = can only be created: a question, answered and not stored
BUILTIN = """
v1 namespaces Namespace C s ns
v1 nodes Node C s no
v1 pods Pod N sg po all
v1 services Service N s svc all
v1 secrets Secret N - -
v1 configmaps ConfigMap N - cm
v1 serviceaccounts ServiceAccount N - sa
v1 persistentvolumeclaims PersistentVolumeClaim N s pvc
v1 persistentvolumes PersistentVolume C s pv
v1 resourcequotas ResourceQuota N s quota
v1 limitranges LimitRange N - limits
v1 events Event N - ev
v1 endpoints Endpoints N - ep
v1 podtemplates PodTemplate N - -
v1 replicationcontrollers ReplicationController N sg rc all
apps/v1 controllerrevisions ControllerRevision N - -
apps/v1 deployments Deployment N sg deploy all
apps/v1 replicasets ReplicaSet N sg rs all
apps/v1 statefulsets StatefulSet N sg sts all
apps/v1 daemonsets DaemonSet N sg ds all
batch/v1 cronjobs CronJob N sg cj all
batch/v1 jobs Job N sg - all
autoscaling/v2 horizontalpodautoscalers HorizontalPodAutoscaler N s hpa all
certificates.k8s.io/v1 certificatesigningrequests CertificateSigningRequest C s csr
rbac.authorization.k8s.io/v1 roles Role N - -
rbac.authorization.k8s.io/v1 rolebindings RoleBinding N - -
rbac.authorization.k8s.io/v1 clusterroles ClusterRole C - -
rbac.authorization.k8s.io/v1 clusterrolebindings ClusterRoleBinding C - -
authorization.k8s.io/v1 subjectaccessreviews SubjectAccessReview C c -
authorization.k8s.io/v1 selfsubjectaccessreviews SelfSubjectAccessReview C c -
authorization.k8s.io/v1 localsubjectaccessreviews LocalSubjectAccessReview N c -
authorization.k8s.io/v1 selfsubjectrulesreviews SelfSubjectRulesReview C c -
authentication.k8s.io/v1 tokenreviews TokenReview C c -
authentication.k8s.io/v1 selfsubjectreviews SelfSubjectReview C c -
networking.k8s.io/v1 networkpolicies NetworkPolicy N g netpol
networking.k8s.io/v1 ingresses Ingress N sg ing
networking.k8s.io/v1 ingressclasses IngressClass C g -
networking.k8s.io/v1 ipaddresses IPAddress C - ip
networking.k8s.io/v1 servicecidrs ServiceCIDR C s -
storage.k8s.io/v1 csinodes CSINode C - -
storage.k8s.io/v1 csistoragecapacities CSIStorageCapacity N - -
storage.k8s.io/v1 volumeattributesclasses VolumeAttributesClass C - vac
storage.k8s.io/v1 storageclasses StorageClass C - sc
storage.k8s.io/v1 volumeattachments VolumeAttachment C s -
storage.k8s.io/v1 csidrivers CSIDriver C - -
coordination.k8s.io/v1 leases Lease N - -
scheduling.k8s.io/v1 priorityclasses PriorityClass C g pc
policy/v1 poddisruptionbudgets PodDisruptionBudget N sg pdb
discovery.k8s.io/v1 endpointslices EndpointSlice N g -
node.k8s.io/v1 runtimeclasses RuntimeClass C - -
resource.k8s.io/v1 deviceclasses DeviceClass C g -
resource.k8s.io/v1 resourceclaims ResourceClaim N s -
resource.k8s.io/v1 resourceclaimtemplates ResourceClaimTemplate N - -
resource.k8s.io/v1 resourceslices ResourceSlice C g -
flowcontrol.apiserver.k8s.io/v1 flowschemas FlowSchema C sg -
flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations PriorityLevelConfiguration C sg -
admissionregistration.k8s.io/v1 mutatingadmissionpolicies MutatingAdmissionPolicy C g - api-extensions
admissionregistration.k8s.io/v1 mutatingadmissionpolicybindings MutatingAdmissionPolicyBinding C g - api-extensions
admissionregistration.k8s.io/v1 validatingwebhookconfigurations ValidatingWebhookConfiguration C g - api-extensions
admissionregistration.k8s.io/v1 mutatingwebhookconfigurations MutatingWebhookConfiguration C g - api-extensions
admissionregistration.k8s.io/v1 validatingadmissionpolicies ValidatingAdmissionPolicy C sg - api-extensions
admissionregistration.k8s.io/v1 validatingadmissionpolicybindings ValidatingAdmissionPolicyBinding C g - api-extensions
apiextensions.k8s.io/v1 customresourcedefinitions CustomResourceDefinition C sg crd,crds api-extensions
apiregistration.k8s.io/v1 apiservices APIService C s - api-extensions
"""


DEPRECATED = {"endpoints": "v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice"}


def builtin() -> list[Resource]:
    out = []
    for line in BUILTIN.strip().splitlines():
        gv, plural, kind, scope, flags, shorts, *categories = line.split()
        group, _, version = gv.rpartition("/")
        out.append(
            Resource(
                group=group,
                version=version,
                plural=plural,
                kind=kind,
                namespaced=scope == "N",
                node=builtin_node(kind),
                singular=kind.lower(),
                list_kind=kind + "List",
                short_names=() if shorts == "-" else tuple(shorts.split(",")),
                categories=tuple(categories),
                verbs=("create",) if "c" in flags else VERBS,
                status="s" in flags,
                generation="g" in flags,
                deprecation=DEPRECATED.get(plural, ""),
            )
        )
    return out


def from_crd(crd: dict[str, Any]) -> list[Resource]:
    """The served versions of a CustomResourceDefinition, the storage version first."""
    spec = crd["spec"]
    names = spec["names"]
    out = []
    for version in sorted(spec["versions"], key=lambda v: not v.get("storage")):
        if not version.get("served"):
            continue
        schema = ((version.get("schema") or {}).get("openAPIV3Schema")) or {}
        subresources = version.get("subresources") or {}
        out.append(
            Resource(
                group=spec["group"],
                version=version["name"],
                plural=names["plural"],
                kind=names["kind"],
                namespaced=spec.get("scope") == "Namespaced",
                node=root_node(schema),
                singular=names.get("singular") or names["kind"].lower(),
                list_kind=names.get("listKind") or names["kind"] + "List",
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                status="status" in subresources,
                scale=subresources.get("scale"),
                custom=True,
                schema=schema,
                defaults=has_defaults(schema),
                ruled=has_rules(schema),
                columns=list(version.get("additionalPrinterColumns") or []),
                selectable=tuple(f["jsonPath"].lstrip(".") for f in version.get("selectableFields") or ()),
                deprecation=_deprecation(spec, names, version),
            )
        )
    return out


def _deprecation(spec: dict[str, Any], names: dict[str, Any], version: dict[str, Any]) -> str:
    if not version.get("deprecated"):
        return ""
    usual = f"{spec['group']}/{version['name']} {names['kind']} is deprecated"
    served = (v["name"] for v in spec["versions"] if v.get("served") and not v.get("deprecated"))
    newer = [name for name in served if version_rank(name) > version_rank(version["name"])]
    if newer:
        usual += f"; use {spec['group']}/{max(newer, key=version_rank)} {names['kind']}"
    return str(version.get("deprecationWarning") or usual)


KUBE_VERSION = re.compile(r"^v(\d+)(?:(alpha|beta)(\d+))?$")
STABILITY = {"alpha": 1, "beta": 2, None: 3}


def version_rank(name: str) -> tuple[int, int, int]:
    """The order of versions by promise and number: v2 above v1 above v2beta1 above v1alpha3 above any other name."""
    match = KUBE_VERSION.match(name)
    return (STABILITY[match[2]], int(match[1]), int(match[3] or 0)) if match else (0, 0, 0)


class Registry:
    """Look-up of resources by URL and by key."""

    def __init__(self) -> None:
        self.by_path: dict[tuple[str, str, str], Resource] = {}
        self.by_key: dict[str, Resource] = {}
        for resource in builtin():
            self.add(resource)

    def add(self, *versions: Resource) -> None:
        """Versions of one resource; the first is the one `by_key` answers with (storage)."""
        self.by_key[versions[0].key] = versions[0]
        for resource in versions:
            self.by_path[resource.group, resource.version, resource.plural] = resource

    def remove(self, key: str) -> None:
        self.by_key.pop(key, None)
        for path in [p for p, r in self.by_path.items() if r.key == key]:
            del self.by_path[path]

    def find_kind(self, api_version: str, kind: str) -> Resource | None:
        """The resource an owner reference or a manifest names."""
        group, _, version = api_version.rpartition("/")
        for resource in self.by_path.values():
            if resource.kind == kind and resource.group == group and resource.version == version:
                return resource
        return None

    def groups(self) -> dict[str, list[str]]:
        """Group → versions, as discovery lists them."""
        out: dict[str, list[str]] = {}
        for group, version, _ in self.by_path:
            if group and version not in out.setdefault(group, []):
                out[group].append(version)
        return out
