"""KIND/NAME, the context's scope, filters and templates: what is meant, and what is refused before anything is asked."""

import json

import pytest

from cli.errors import CliError
from cli.jsonpath import Template
from tests.cast import make_person
from tests.cli.conftest import shown
from tests.domain import a_vdc, a_vm, an_item


@pytest.fixture
def web(vdc, item):
    return a_vm(vdc, "web")


def test_kinds_and_names_as_kubectl_has_them(root, web):
    assert json.loads(root.ok("get", "vm/web", "-o", "json"))["id"] == str(web.pk)
    assert json.loads(root.ok("get", "vm/acme/dev/web", "-o", "json"))["id"] == str(web.pk)
    both = json.loads(root.ok("get", "vm/web", "vdc/dev", "-o", "json"))["items"]
    assert [row["kind"] for row in both] == ["vm", "vdc"]
    assert root.ok("get", "vm/web", "vdc/dev", "-o", "name") == "vm/dev/web\nvdc/acme/dev\n"
    assert root.ok("get", "vms,vdcs", "-o", "name") == "vm/dev/web\nvdc/acme/dev\n"
    assert "must be KIND/NAME" in root.refused(2, "get", "vm/web", "dev")
    assert "Which vm?" in root.refused(2, "stop", "vm")
    assert "only a vm can" in root.refused(2, "stop", "vdc/dev")
    assert "nothing there is" in root.refused(2, "get", "pods/web")


def test_one_of_several_that_is_not_there_is_told_and_the_rest_shown(root, web):
    done = root("get", "vm", "web", "nope", "-o", "name")
    assert (done.returncode, done.stdout) == (3, "dev/web\n")
    assert "There is no vm 'nope'" in done.stderr


def test_the_contexts_scope(root, web):
    a_vm(a_vdc("prod"), "db")
    assert root.ok("get", "vms", "-o", "name") == "dev/web\nprod/db\n"
    root.ok("config", "set-context", "--org", "acme", "--vdc", "prod")
    assert root.ok("get", "vms", "-o", "name") == "prod/db\n"
    assert root.ok("get", "vms", "-A", "-o", "name") == "dev/web\nprod/db\n"
    assert root.ok("get", "vms", "--vdc", "dev", "-o", "name") == "dev/web\n"
    assert root.ok("get", "vm", "dev/web", "-o", "name") == "dev/web\n", "a path says where"
    assert root.ok("get", "organizations", "-o", "name") == "acme\n"
    told = root.refused(3, "get", "vm", "web")
    assert "in prod, the context's own (-A looks everywhere)" in told
    root.ok("config", "set-context", "--vdc", "")
    assert root.ok("get", "vm", "web", "-o", "name") == "dev/web\n"


def test_filters_are_the_servers(root, web):
    shown(phase="Running")
    a_vm(a_vdc("prod"), "db")
    assert root.ok("get", "vms", "-l", "phase=Running,power_state=on", "-o", "name") == "dev/web\n"
    assert root.ok("get", "vms", "--filter", "vdc=acme/prod", "-o", "name") == "prod/db\n"
    assert root.ok("get", "vms", "-q", "eb", "-o", "name") == "dev/web\n"
    told = root.refused(1, "get", "vms", "-l", "colour=red")
    assert "colour" in told
    assert "Request id: " in told
    assert "FIELD=VALUE" in root.refused(2, "get", "vms", "-l", "phase")
    assert "for lists" in root.refused(2, "get", "vm", "web", "-q", "x")


def test_every_kind_the_api_lists(root, web):
    make_person("bob")
    assert root.ok("get", "clusters", "-o", "name") == "local\n"
    assert "bob" in root.ok("get", "users", "-o", "name").splitlines()
    assert "vdc_admin" not in root.ok("get", "role-bindings")
    binding = json.loads(root.ok("get", "role-bindings", "-l", "user=bob", "-o", "json"))["items"][0]
    assert (binding["username"], binding["role"]) == ("bob", "user")
    assert json.loads(root.ok("get", "role-binding", binding["id"], "-o", "json")) == binding
    assert "vm.create" in root.ok("get", "audit-entries", "-l", "object_kind=virtualmachine")
    root.ok("delete", "role-binding", binding["id"], "-y")
    root.refused(3, "get", "role-binding", binding["id"])
    assert "Name" in root.ok("describe", "cluster", "local")


def test_what_the_server_does_not_serve_is_said(root, web):
    item = an_item("other")
    told = root.refused(1, "delete", "item", item.name, "-y")
    assert "This server does not serve that" in told


def test_a_table_without_its_first_line(root, web):
    assert root.ok("get", "vms", "--no-headers").split()[0] == "web"


def test_jsonpath_at_the_command(root, web):
    assert root.ok("get", "vm", "web", "-o", "jsonpath={.vdc_name}/{.name}") == "dev/web"
    assert root.ok("get", "vms", "-o", 'jsonpath={range .items[*]}{.name}{"\\n"}{end}') == "web\n"
    assert "can't be read" in root.refused(2, "get", "vms", "-o", "jsonpath={.items[}")
    assert "-o nope" in root.refused(2, "get", "vms", "-o", "nope")


THING = {
    "items": [{"name": "a", "n": 1, "tags": {"x-y": "z"}}, {"name": "b", "n": 2}, {"name": "c", "n": 30}],
    "conditions": [{"type": "Ready", "status": "True"}, {"type": "Live", "status": "False"}],
    "big": True,
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        (".items[0].name", "a"),
        ("{.items[*].name}", "a b c"),
        ("{.items[-1].name}", "c"),
        ("{.items[1:].name}", "b c"),
        ("{.items[:-1].name}", "a b"),
        ("{.items[7].name}", ""),
        ("{.items[-7].name}", ""),
        ("{.items[0].tags['x-y']}", "z"),
        ("{..name}", "a b c"),
        ('{.conditions[?(@.type=="Ready")].status}', "True"),
        ("{.items[?(@.n>=2)].name}", "b c"),
        ("{.items[?(@.n<'x')].name}", ""),
        ("{.items[?(@.tags)].name}", "a"),
        ("{.big}", "true"),
        ("{.nothing.at.all}", ""),
        ('{range .items[*]}{.name}={.n}{"\\t"}{end}.', "a=1\tb=2\tc=30\t."),
        ("n: {.items[0]}", 'n: {"name": "a", "n": 1, "tags": {"x-y": "z"}}'),
    ],
)
def test_templates(template, text):
    assert Template(template).fill(THING) == text


@pytest.mark.parametrize("template", ["{", "{.a[}", "{range .a}", "{end}", "{.a[?(x)]}", "}"])
def test_templates_that_are_none(template):
    with pytest.raises(CliError, match="can't be read"):
        Template(template)
