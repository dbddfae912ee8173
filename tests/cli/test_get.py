"""Looking: what is listed, in which format, and which one a name means."""

import json

import pytest
import yaml

from clusters.models import Cluster
from tests.cast import make_person
from tests.cli.conftest import shown
from tests.domain import a_vdc, a_vm, an_organization
from vdcs.models import NamespaceAccess


@pytest.fixture
def web(vdc, item):
    return a_vm(vdc, "web")


def test_a_table_for_people(root, web):
    shown(ip_addresses=["10.0.0.7"], node="n1")
    header, line = root.ok("get", "vms").splitlines()
    assert header.split() == ["NAME", "VDC", "PHASE", "CPU", "MEMORY", "DISK", "ADDRESS", "AGE"]
    assert line.split()[:7] == ["web", "dev", "Running", "1", "1Gi", "4Gi", "10.0.0.7"]
    assert header.index("PHASE") == line.index("Running")
    wide = root.ok("get", "vms", "-o", "wide").splitlines()
    assert wide[0].split()[-5:] == ["OWNER", "POWER", "NODE", "GUEST", "ID"]
    assert str(web.pk) in wide[1]


def test_formats_for_programs(root, web):
    (row,) = json.loads(root.ok("get", "vms", "-o", "json"))["items"]
    assert row["id"] == str(web.pk)
    one = json.loads(root.ok("get", "vm", "web", "-o", "json"))
    assert (one["kind"], one["name"], one["disks"][0]["size_gib"]) == ("vm", "web", 4)
    assert yaml.safe_load(root.ok("get", "vm", "web", "-o", "yaml")) == one
    assert root.ok("get", "vms", "-o", "name") == "dev/web\n"


@pytest.mark.parametrize(
    ("noun", "name"),
    [
        ("vdcs", "acme/dev"),
        ("organizations", "acme"),
        ("org", "acme"),
        ("catalogs", "images"),
        ("items", "images/jammy"),
    ],
)
def test_every_noun(root, item, noun, name):
    assert root.ok("get", noun, "-o", "name") == f"{name}\n"
    assert name.rpartition("/")[2] in root.ok("get", noun)
    assert root.ok("get", noun, name.rpartition("/")[2], "-o", "name") == f"{name}\n"


def test_nothing_is_said_on_stderr_only(root, vdc):
    done = root("get", "vms")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No vms found.\n")
    assert json.loads(root.ok("get", "vms", "-o", "json")) == {"items": []}


def test_limits_and_search(root, server):
    vdc = a_vdc()
    for number in range(5):
        a_vm(vdc, f"vm-{number}")
    assert len(root.ok("get", "vms", "-o", "name").splitlines()) == 5
    assert root.ok("get", "vms", "--limit", "2", "-o", "name").splitlines() == ["dev/vm-0", "dev/vm-1"]
    assert root.ok("get", "vms", "--search", "M-3", "-o", "name") == "dev/vm-3\n"


def test_what_a_name_may_mean(root, web):
    other = a_vm(a_vdc("prod"), "web")
    a_vm(a_vdc("dev", organization=an_organization("globex")), "web")
    told = root.refused(1, "get", "vm", "web")
    assert "acme/dev/web" in told
    assert "acme/prod/web" in told
    assert "globex/dev/web" in told
    assert str(web.pk) in told
    assert "acme/dev/web" in root.refused(1, "get", "vm", "dev/web")
    for name in ("acme/dev/web", str(web.pk)):
        assert json.loads(root.ok("get", "vm", name, "-o", "json"))["id"] == str(web.pk)
    for arguments in (
        ("prod/web",),
        ("web", "--vdc", "prod"),
        ("web", "--vdc", "acme/prod"),
        ("prod/web", "--org", "acme"),
    ):
        assert json.loads(root.ok("get", "vm", *arguments, "-o", "json"))["id"] == str(other.pk)
    assert root.ok("get", "vms", "--org", "globex", "-o", "name") == "dev/web\n"
    assert len(root.ok("get", "vms", "--vdc", "acme/dev", "-o", "name").splitlines()) == 1


def test_what_is_not_there(bob, vdc):
    make_person("charlie")
    a_vm(a_vdc("main", organization=an_organization("globex")), "secret")
    assert "There is no vm 'nope' that you can see." in bob.refused(3, "get", "vm", "nope")
    assert bob.refused(3, "get", "vm", "secret").replace("secret", "nope") == bob.refused(3, "get", "vm", "nope")
    assert "There is no VDC 'nope'" in bob.refused(3, "get", "vm", "nope/web")
    bob.refused(3, "get", "vm", "01a20add-796a-7a14-a8b2-f90973402a89")
    assert "ORG/VDC/NAME" in bob.refused(2, "get", "vm", "a/b/c/d")
    assert "there are vms, vdcs" in bob.refused(2, "get", "pods")


def test_describe_tells_why(root, web):
    conditions = [
        {"type": "Ready", "status": "False", "reason": "ImportFailed", "message": "404 Not Found", "since": None}
    ]
    shown(phase="Failed", conditions=conditions)
    told = root.ok("describe", "vm", "web")
    for part in ("Name:          web", "1 vCPU, 1Gi memory", "web-disk-0", "ImportFailed", "404 Not Found"):
        assert part in told
    assert "memory_mib    1Gi/8Gi" in root.ok("describe", "vdc", "dev")


@pytest.fixture
def bound(vdc):
    """Somebody is left out of what holds in the cluster."""
    left_out = {"type": "PeopleLeftOut", "status": "True", "reason": "NoName", "message": "dora (why)", "since": None}
    NamespaceAccess.objects.filter(vdc=vdc).update(conditions=[left_out], people={"ovim:user": 1})
    Cluster.objects.update(tenant_access=True, oidc_username_prefix="oidc:")
    return vdc


def test_describe_tells_of_ones_own_kubectl(bob, bound):
    told = bob.ok("describe", "vdc", "dev")
    assert "With kubectl:  ovim:user as oidc:bob" in told
    assert "dora" not in told
    Cluster.objects.update(tenant_access=False)
    assert "With kubectl:  its cluster takes no roles from OVIM" in bob.ok("describe", "vdc", "dev")


def test_describe_tells_admins_of_everybodys_kubectl(root, bound):
    told = root.ok("describe", "vdc", "dev")
    assert "No role of yours in this VDC holds in the cluster." in told
    assert "1 ovim:user" in told
    assert "dora (why)" in told
    assert "Roles hold:    yes, by username with the prefix oidc:" in root.ok("describe", "cluster", bound.cluster.name)


def test_other_peoples_text_can_not_steer_the_terminal(root, web):
    shown(guest_os="\x1b]0;gotcha\x07\x1b[2J\u202e\nsecond line")
    table = root.ok("get", "vms", "-o", "wide") + root.ok("describe", "vm", "web")
    assert not {"\x1b", "\x07", "\u202e"} & set(table)
    assert "\nsecond" not in table


def test_watching_shows_changes_until_it_is_stopped(root, web):
    with root.start("get", "vms", "-w", "-o", "json") as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        shown(phase="Stopped")
        second = json.loads(process.stdout.readline())
        process.send_signal(2)
        _, err = process.communicate(timeout=20)
    assert (first["phase"], second["phase"]) == ("Pending", "Stopped")
    assert process.returncode == 130
    assert "Traceback" not in err
