"""Objects from files: what is read back can be given again, what is wrong is told by line, and nothing is half-read."""

import json

import pytest
import yaml

from cli.nouns import NOUNS
from tests.cli.conftest import ROOT, shown
from tests.domain import KEY
from vdcs.models import Vdc
from vms.models import VirtualMachine

VM = """\
kind: vm
name: web
vdc: acme/dev
catalog_item: images/jammy
cpu: 2
memory: 2Gi
ssh_keys:
- {key}
user_data: |
  #cloud-config
  hostname: shop
""".replace("{key}", KEY)


def test_what_was_given_reads_back_and_can_be_given_again(bob, item, tmp_path):
    assert bob.ok("create", "-f", "-", "-o", "name", text=VM) == "dev/web\n"
    text = bob.ok("get", "vm/web", "-o", "yaml")
    first = yaml.safe_load(text)
    assert first["user_data"] == "#cloud-config\nhostname: shop\n"
    (tmp_path / "again.yaml").write_text(text.replace("name: web\n", "name: web2\n"))
    bob.ok("create", "-f", str(tmp_path / "again.yaml"))
    second = yaml.safe_load(bob.ok("get", "vm/web2", "-o", "yaml"))
    for field in set(NOUNS["vms"].made) & first.keys() - {"name"}:
        assert first[field] == second[field], field
    listed = bob.ok("get", "vm/web", "vm/web2", "-o", "json")
    assert bob("diff", "-f", "-", text=listed).returncode == 0, "JSON is YAML, and a list is its items"
    assert bob("diff", "-f", "-", text=VM).returncode == 0, "as it was written by hand"


def test_one_made_from_an_image_reads_back(bob, vdc):
    bob.ok("create", "vm", "raw", "--vdc", "dev", "--image-url", "https://127.0.0.1/raw.img", "--cpu", "1",
           "--memory", "1Gi", "--disk", "5Gi")  # fmt: skip
    text = bob.ok("get", "vm", "raw", "-o", "yaml").replace("name: raw\n", "name: copy\n", 1)
    bob.ok("create", "-f", "-", text=text)
    assert VirtualMachine.objects.get(name="copy").disks.get().image_url == "https://127.0.0.1/raw.img"


def test_three_errors_three_lines(bob, item):
    told = bob.refused(
        1, "create", "-f", "-",
        text="# a comment\nkind: vm\nname: Not_A_Name\nvdc: dev\ncatalog_item: jammy\ncpu: 1\nmemory: 1500M\n"
        "colour: red\n",
    )  # fmt: skip
    assert "stdin:3: name:" in told
    assert "stdin:7: memory: " in told
    assert "stdin:8: colour: There is no such field here." in told
    assert not VirtualMachine.objects.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: vm\nname: [x\n", "stdin:3 is no YAML"),
        ("kind: vm\nname: a\nname: b\n", "stdin:3: name is there twice"),
        ("- a\n- b\n", "stdin:1: an object is wanted"),
        ("kind: pod\nname: a\n", "stdin:1: kind: "),
        ("kind: vm\ncpu: 1\n", "name: every vm needs one"),
        ("kind: catalog\nname: a\n", "a catalog is not made through the API"),
        ("kind: vm\nname: a\nuser_data: •••\n", "stdin:3: user_data: it was masked"),
        ("", "There is nothing in stdin."),
        ("a: &a [x]\nb: !!python/object:os.system x\n", "stdin"),
    ],
)
def test_a_file_that_is_wrong_sends_nothing(bob, vdc, text, told):
    good = "kind: vm\nname: good\nvdc: dev\ncatalog_item: jammy\n"
    assert told in bob.refused(2, "create", "-f", "-", text=text)
    if text:
        bob.refused(2, "create", "-f", "-", text=f"{text}\n---\n{good}")
    assert not VirtualMachine.objects.exists()


def test_a_name_in_a_file_that_nothing_has(bob, item):
    told = bob.refused(3, "create", "-f", "-", text="kind: vm\nname: a\nvdc: nope\ncatalog_item: jammy\n")
    assert "stdin:3: vdc: There is no vdc 'nope'" in told
    assert "can't be read" in bob.refused(2, "create", "-f", "/nonexistent.yaml")


def test_one_that_is_refused_does_not_keep_the_others(bob, item):
    documents = "\n---\n".join(
        f"kind: vm\nname: {name}\nvdc: dev\ncatalog_item: jammy\ncpu: {cpu}"
        for name, cpu in (("a", 1), ("b", 99), ("c", 1))
    )
    done = bob("create", "-f", "-", "-o", "name", text=documents)
    assert (done.returncode, done.stdout) == (6, "vm/dev/a\nvm/dev/c\n")
    assert "stdin:7: vm b: The quota does not allow it." in done.stderr
    assert "2 of 3 were made." in done.stderr


def test_the_contexts_vdc_is_where_nothing_is_said(bob, item):
    bob.ok("config", "set-context", "--vdc", "acme/dev")
    bob.ok("create", "-f", "-", text="kind: vm\nname: a\ncatalog_item: jammy\n")
    bob.ok("create", "vm", "b", "--item", "jammy")
    assert VirtualMachine.objects.filter(vdc=Vdc.objects.get()).count() == 2


def test_a_dry_run_shows_the_plan_and_makes_nothing(bob, item):
    told = bob.ok("create", "vm", "a", "--vdc", "dev", "--item", "jammy", "--memory", "2Gi", "--dry-run")
    assert "vm dev/a would be created:" in told
    assert "quota: memory_mib of vdc dev: 0Mi → 2Gi (limit 8Gi)" in told
    assert "cluster: create VirtualMachine " in told
    assert "runStrategy" not in told, "of what is new every field would be told"
    plan = json.loads(bob.ok("create", "-f", "-", "--dry-run", "-o", "json", text=VM))
    assert (plan["dry_run"], plan["status"], plan["row"]["name"]) == ("true", 201, "web")
    assert "The quota does not allow it" in bob.refused(
        6, "create", "vm", "a", "--vdc", "dev", "--item", "jammy", "--memory", "9Gi", "--dry-run"
    )
    assert not VirtualMachine.objects.exists()


def test_every_write_can_be_tried(bob, item, vdc):
    bob.ok("create", "vm", "web", "--vdc", "dev", "--item", "jammy")
    shown()
    before = list(VirtualMachine.objects.values())
    assert "power_state" in bob.ok("stop", "vm/web", "--dry-run")
    assert "would be deleted" in bob.ok("delete", "vm/web", "--dry-run")
    assert list(VirtualMachine.objects.values()) == before


def test_diff(bob, item):
    assert "vm dev/web would be created" in bob("diff", "-f", "-", text=VM).stdout
    bob.ok("create", "-f", "-", text=VM + "power_state: 'off'\n")
    shown(phase="Stopped")
    done = bob("diff", "-f", "-", text=VM.replace("cpu: 2", "cpu: 2\ndescription: mine"))
    assert done.returncode == 9
    assert 'description: "" → "mine"' in done.stdout
    done = bob("diff", "-f", "-", text=VM.replace("hostname: shop", "hostname: other"))
    assert done.returncode == 9
    assert "which can't be changed any more" in done.stdout
    assert VirtualMachine.objects.get().description == ""
    told = bob("diff", "-f", "-", text=VM.replace("cpu: 2", "cpu: 99"))
    assert told.returncode in (5, 6), "what the server would refuse is a refusal"
    assert "cpu: 2 → 99" in told.stdout


@pytest.mark.parametrize(
    ("noun", "given", "edited", "shown_as"),
    [
        ("vms", "VmInRequest", "PatchedVmEditRequest", "VmDetail"),
        ("vdcs", "VdcInRequest", "PatchedVdcEditRequest", "VdcOut"),
        ("organizations", "OrganizationInRequest", "PatchedOrganizationEditRequest", "OrganizationOut"),
        ("users", "UserInRequest", "PatchedUserEditRequest", "UserOut"),
        ("role-bindings", "RoleBindingInRequest", "PatchedRoleBindingEditRequest", "RoleBindingOut"),
        ("invitations", "InvitationInRequest", None, "InvitationOut"),
        ("identity-providers", "ProviderInRequest", "PatchedProviderEditRequest", "ProviderOut"),
        ("clusters", "ClusterInRequest", "PatchedClusterEditRequest", "ClusterOut"),
    ],
)
def test_the_fields_are_those_of_the_api(noun, given, edited, shown_as):
    shapes = yaml.load((ROOT / "schema.yaml").read_text(), yaml.CSafeLoader)["components"]["schemas"]
    fields = {name: set(shapes[name]["properties"]) for name in (given, edited, shown_as) if name}
    known = NOUNS[noun]
    assert set(known.made) == fields[given]
    assert set(known.edited) == fields.get(edited, set())
    assert fields[shown_as] - set(known.made) - set(known.edited) == known.shown


def test_a_password_that_was_made_up_is_told_and_opens_the_door(root, ovim, server, vdc):
    done = root("create", "-f", "-", text="kind: user\nusername: dana\norganization: acme\nemail: dana@example.org\n")
    assert done.returncode == 0, done.stderr
    told = next(line for line in done.stderr.splitlines() if "made up" in line)
    password = told.rpartition(": ")[2]
    signed_in = ovim("login", "--server", server, "--username", "dana", "--password-stdin", text=password + "\n")
    assert signed_in.returncode == 0, signed_in.stderr
