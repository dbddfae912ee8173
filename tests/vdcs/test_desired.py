"""Facts of a VDC and of an organization → whole manifests. The backstop is looser than the ledger, isolation is never inert."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from clusters.conditions import Outcome, true
from clusters.refs import Ref
from tenancy.desired import organization_objects
from tenancy.facts import Contact, OrganizationFacts
from tenancy.observe import observe, with_life
from vdcs import desired
from vdcs.facts import VdcFacts

ORG, VDC = UUID(int=1), UUID(int=2)
FACTS = VdcFacts(
    id=VDC,
    name="dev",
    display_name="Development",
    description="",
    namespace="acme-dev",
    organization_id=ORG,
    organization_name="acme",
    organization_namespace="acme",
    limits={"cpu": 8, "memory_mib": 16384, "disk_gib": 100, "disk_gib/fast": 10, "vms": 5},
)
LABELS = {"app.kubernetes.io/part-of": "ovim", "ovim.io/organization": str(ORG), "ovim.io/vdc": str(VDC)}
HOME = Ref("", "Namespace", "", "acme-dev")


def made(facts=FACTS):
    return {(item.ref.kind, item.ref.name): item for item in desired.vdc_objects(facts)}


def test_what_a_vdc_is_made_of():
    objects = made()
    assert set(objects) == {
        ("Namespace", "acme-dev"), ("VirtualDataCenter", "dev"), ("ResourceQuota", "ovim-quota"),
        ("LimitRange", "ovim-limits"), ("NetworkPolicy", "ovim-network"), ("NetworkPolicy", "ovim-imports"),
    }  # fmt: skip
    inside = [item for key, item in objects.items() if item.ref.namespace == "acme-dev"]
    assert all(item.after == (HOME,) for item in inside), "nothing is put into a namespace that is not proven ours"
    assert objects["Namespace", "acme-dev"].manifest == {
        "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "acme-dev", "labels": LABELS},
    }  # fmt: skip


def test_the_mirror():
    assert made()["VirtualDataCenter", "dev"].manifest == {
        "apiVersion": "ovim.io/v1",
        "kind": "VirtualDataCenter",
        "metadata": {"name": "dev", "namespace": "acme", "labels": LABELS},
        "spec": {
            "organizationRef": "acme",
            "displayName": "Development",
            "description": "",
            "networkPolicy": "default",
            "quota": {
                "cpu": 8, "memory": "16Gi", "storage": "100Gi", "storageClasses": {"fast": "10Gi"}, "virtualMachines": 5,
            },
        },
    }  # fmt: skip


def test_the_backstop_lets_through_all_that_the_ledger_grants():
    hard = made()["ResourceQuota", "ovim-quota"].manifest["spec"]["hard"]
    assert hard == {
        "requests.cpu": "22",
        "requests.memory": f"{2 * 16384 + 128 + 5 * 1024}Mi",
        "requests.storage": "321Gi",
        "fast.storageclass.storage.k8s.io/requests.storage": "33Gi",
        "count/virtualmachines.kubevirt.io": "5",
    }
    assert not any(name.startswith("limits.") for name in hard)


def test_without_limits_there_is_no_backstop():
    assert ("ResourceQuota", "ovim-quota") not in made(replace(FACTS, limits={}))
    only_memory = made(replace(FACTS, limits={"memory_mib": 1024}))
    assert ("ResourceQuota", "ovim-quota") not in only_memory, "no bound on VMs: no bound on their overhead"


def test_no_container_minimum():
    limits = made(replace(FACTS, min_disk_gib=1, max_disk_gib=50))["LimitRange", "ovim-limits"].manifest["spec"]
    assert limits == {
        "limits": [
            {"type": "Container", "defaultRequest": {"cpu": "10m", "memory": "64Mi"}},
            {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "54Gi"}},
        ]
    }


def selectors(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "namespaceSelector":
                yield inner
            yield from selectors(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from selectors(inner)


def test_isolation_is_by_the_label_that_every_namespace_has():
    for facts in (FACTS, replace(FACTS, isolated=True)):
        for name in ("ovim-network", "ovim-imports"):
            found = list(selectors(made(facts)["NetworkPolicy", name].manifest["spec"]))
            assert found
            for selector in found:
                assert [item["key"] for item in selector["matchExpressions"]] == ["kubernetes.io/metadata.name"]


def test_isolated_goes_nowhere_but_home_and_name_servers():
    spec = made(replace(FACTS, isolated=True))["NetworkPolicy", "ovim-network"].manifest["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    reached = [rule["to"][0]["namespaceSelector"]["matchExpressions"][0]["values"] for rule in spec["egress"]]
    assert reached == [["acme-dev"], ["kube-system", "openshift-dns"]]
    assert "ports" in spec["egress"][1]
    assert made()["NetworkPolicy", "ovim-network"].manifest["spec"]["policyTypes"] == ["Ingress"]


def test_an_organization_and_its_table():
    facts = OrganizationFacts(ORG, "acme", "Acme", "", True, "acme")
    objects = organization_objects(facts)
    assert [item.ref.kind for item in objects] == ["Namespace", "Organization"]
    home = objects[0].ref
    refs = [item.ref for item in objects]
    assert observe(refs, {}, home).phase == "Pending"
    space = {"metadata": {}, "status": {"phase": "Active"}}
    assert observe(refs, {home: space}, home).phase == "Provisioning"
    ready = observe(refs, dict.fromkeys(refs, space), home)
    assert (ready.phase, ready.settled) == ("Active", True)
    leaving = {"metadata": {"deletionTimestamp": "x"}, "status": {"phase": "Terminating"}}
    assert observe(refs, dict.fromkeys(refs, leaving), home).phase == "Failed"


def test_an_organization_tells_its_contacts_and_what_is_decided():
    plain = OrganizationFacts(ORG, "acme", "Acme", "", True, "acme")
    spec = organization_objects(plain)[1].manifest["spec"]
    assert spec == {"displayName": "Acme", "description": "", "isEnabled": True}
    due = datetime(2026, 12, 1, 10, 30, 15, 7, tzinfo=UTC)
    facts = replace(
        plain, enabled=False, technical=Contact("Tess", ""), billing=Contact("", "b@x.org"), deletion_due_at=due
    )
    spec = organization_objects(facts)[1].manifest["spec"]
    assert (spec["technicalContact"], spec["billingContact"]) == ({"name": "Tess"}, {"email": "b@x.org"})
    assert (spec["isEnabled"], spec["deletionDueAt"]) == (False, "2026-12-01T10:30:15Z")
    ready = Outcome("Active", (true("Ready", "Applied"),), settled=True)
    assert with_life(ready, plain) is ready
    found = with_life(ready, facts)
    assert [(item.type, item.status) for item in found.conditions] == [
        ("Ready", "True"), ("Enabled", "False"), ("DeletionPending", "True"),
    ]  # fmt: skip
    assert found.settled
