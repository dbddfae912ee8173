"""The rights that OVIM's account has: those that the engine uses, no more and no fewer."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from clusters import discovery, examine
from clusters.client import Client
from clusters.fleet import edit_cluster
from clusters.models import Cluster, Placement
from clusters.needs import Need, needs
from clusters.watch import Watcher
from tenancy.models import RoleName
from tenancy.services.bindings import bind_role, unbind_role
from tenancy.services.organizations import delete_organization
from tenancy.services.users import create_user
from tests.clusters.fleet import SYSTEM, Fleet, Prepared, manifests
from vdcs.services import delete_vdc
from vms import selectors
from vms.services import edit_vm, set_power

# Only an adopted machine's deletion asks for it: tests/vms/test_adopt.py.
OF_ADOPTED = {Need("", "persistentvolumeclaims", "delete")}
PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/v[^/]+"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)


def granted() -> set[Need]:
    """What deploy/account/ovim.yaml gives."""
    role = next(body for body in manifests("account") if body["kind"] == "ClusterRole")
    return {
        Need(group, resource, verb, name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def test_the_manifest_gives_what_is_needed_and_nothing_else():
    assert granted() == set(needs({"cdi.kubevirt.io", "kubevirt.io"}))


def test_without_kubevirt_nothing_is_needed_of_it():
    assert not any("kubevirt" in need.group for need in needs(()))


class Recorder:
    """Every request that leaves through a client, as rights."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seen: set[Need] = set()
        self.refused: set[str] = set()
        plain = Client._send

        def send(client: Client, method: str, path: str, *args: Any) -> Any:
            answer = plain(client, method, path, *args)
            self.seen |= set(self._asked(method, path, answer.status))
            self.refused |= {f"{method} {path}"} if answer.status == 403 else set()
            return answer

        monkeypatch.setattr(Client, "_send", send)

    def _asked(self, method: str, path: str, status: int) -> Iterator[Need]:
        parts = urlsplit(path)
        found = PATH.fullmatch(parts.path)
        if found is None or found["resource"] == "selfsubjectaccessreviews":
            return  # discovery, the version, and what everybody may ask about himself
        group, name = found["group"] or "", found["name"] or ""
        resource = found["resource"] + (f"/{found['sub']}" if found["sub"] else "")
        named = name if resource == "clusterroles" else ""
        verb = {"GET": "get" if name else "list", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[method]
        if "watch" in parse_qs(parts.query):
            verb = "watch"
        yield Need(group, resource, verb, named)
        if method == "PATCH" and status == 201:
            yield Need(group, resource, "create", named)


def test_the_engine_asks_for_what_is_declared_and_is_refused_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VM's and a VDC's whole life, with OVIM's own account: whatever it lacks would be a 403."""
    recorder = Recorder(monkeypatch)
    east = fleet.register(fleet.east)
    edit_cluster(actor=SYSTEM, cluster=east, changes={"tenant_access": True})
    vdc = fleet.vdc("dev", east, limits={"cpu": 8, "vms": 5}, max_disk_gib=20, network_mode="isolated")
    vm = fleet.vm("web", vdc, user_data="#cloud-config\n{}")
    vera = create_user(actor=SYSTEM, username="vera", password="a long enough one", organization=vdc.organization)
    binding = bind_role(actor=SYSTEM, user=vera, role=RoleName.VDC_ADMIN, organization=vdc.organization, vdc_id=vdc.pk)
    fleet.until(lambda: fleet.phase(vm) == "Running" and fleet.phase(vdc.access) == "Active")
    unbind_role(actor=SYSTEM, binding=binding)
    _watch_a_moment(east)
    set_power(actor=SYSTEM, vm=vm, on=False)
    fleet.until(lambda: fleet.phase(vm) == "Stopped")
    fleet.until(lambda: not selectors.holds_active(vm))
    edit_vm(actor=SYSTEM, vm=vm, changes={"cpu": 2})
    delete_vdc(actor=SYSTEM, vdc=vdc, cascade=True)
    fleet.until(lambda: not fleet.exists(vdc))
    delete_organization(actor=SYSTEM, organization=vdc.organization)
    fleet.until(lambda: not Placement.objects.exists())
    declared = set(needs({"cdi.kubevirt.io", "kubevirt.io"}))
    anything = {need for need in recorder.seen if need.verb == "list"}  # what a namespace holds: the right to list all
    assert recorder.refused == set()
    assert recorder.seen - declared - anything == set()
    # `bind` is asked for by writing a role binding, the list of all by listing this and that.
    told_by_paths = {need for need in declared if need.verb != "bind" and need.group != "*"} - OF_ADOPTED
    assert sorted(map(str, told_by_paths - recorder.seen)) == []


def _watch_a_moment(cluster: Cluster) -> None:
    """The watcher with all its kinds, until each has listed and begun to watch."""
    watcher = Watcher(cluster.pk)
    thread = threading.Thread(target=watcher.run, daemon=True)
    thread.start()
    time.sleep(2)
    watcher.stopping.set()
    thread.join(timeout=10)


def test_what_is_lacking_is_told_by_the_cluster_itself(east: Prepared) -> None:
    client = Client(east.url, east.token)
    served = discovery.groups(client)
    assert examine.lacking(client, needs(served)) == []
    assert examine.lacking(client, [Need("", "secrets", "watch"), Need("apps", "deployments", "create")]) == [
        Need("", "secrets", "watch"),
        Need("apps", "deployments", "create"),
    ]
