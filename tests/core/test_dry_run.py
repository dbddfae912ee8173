"""`?dry_run=`: the plan of a write, and not a trace of it."""

from typing import Any

import pytest
from django.db import connection

from clusters import wakeup
from clusters.models import Cluster, NamespaceAllotment, Placement, WorkItem
from clusters.secrets import encrypt
from core.models import AnsweredRequest, AuditEntry
from tenancy.models import AccessToken, Group, Membership, Organization, Role, RoleBinding, SecondFactor, Session, User
from tenancy.oidc.rows import IdentityProvider
from tests.cast import PASSWORD, Api, make_person, session_of
from tests.core.test_preconditions import WRITES, a_row
from tests.domain import a_vdc, a_vm, an_item, an_organization
from tests.test_permissions import TABLE
from vdcs.models import QuotaClaim, QuotaScope, Vdc
from vms.models import Disk, VirtualMachine

MODELS = (
    AccessToken, AnsweredRequest, AuditEntry, Disk, NamespaceAllotment, Organization, Placement, QuotaClaim, QuotaScope,
    Group, IdentityProvider, Membership, Role, RoleBinding, SecondFactor, Session, User, Vdc, VirtualMachine, WorkItem,
)  # fmt: skip


def everything():
    """All rows of all tables that a request could touch, in order."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in MODELS}


def vm_body(vdc, **more):
    return {"vdc": str(vdc.pk), "name": "web", "catalog_item": str(an_item().pk)} | more


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "route"), sorted(row for row in WRITES if not row[1].endswith("/orders")))
def test_no_write_to_a_row_leaves_a_trace(api, cluster, method, route):
    root, address = api("root"), a_row(route)
    if method == "delete" and "organizations" in route:
        address = f"/api/v1/organizations/{an_organization('empty').pk}"
    before = everything()
    answer = root.request(method, f"{address}?dry_run=true", WRITES[method, route], Idempotency_Key="k")
    assert (answer.status_code, answer.json()["dry_run"]) == (200, "true"), answer.content
    assert everything() == before


CREATES = {
    "auth/logout": lambda: None,
    "me/password": lambda: {"current_password": PASSWORD, "new_password": PASSWORD + " 12"},
    "organizations": lambda: {"name": "initech", "display_name": "Initech"},
    "me/second-factor": lambda: None,
    "me/sessions/end-others": lambda: None,
    "service-accounts": lambda: {"name": "ci"},
    "tokens": lambda: {"name": "laptop"},
    "users": lambda: {"username": "dora", "password": PASSWORD + " 12"},
    "role-bindings": lambda: {"user": str(make_person("bob").pk), "role": "system_admin"},
    "roles": lambda: {"organization": str(an_organization().pk), "name": "operator", "rights": ["vm.view"]},
    "groups": lambda: {"organization": str(an_organization().pk), "name": "ops"},
    "memberships": lambda: {
        "group": str(Group.objects.create(organization=make_person("bob").organization, name="ops").pk),
        "user": str(User.objects.get(username="bob").pk),
    },
    "identity-providers": lambda: {
        "organization": str(an_organization().pk),
        "name": "sso",
        "display_name": "SSO",
        "issuer": "https://sso.example.org",
        "client_id": "ovim",
    },
    "vdcs": lambda: {"organization": str(an_organization().pk), "name": "lab"},
    "vms": lambda: vm_body(a_vdc()),
}


def test_every_create_is_here():
    posts = {route.removeprefix("api/v1/") for method, route in TABLE if method == "post" and "api/v1/" in route}
    elsewhere = {"auth/device", "auth/device/token"}  # whoever asks is nobody yet: tests/tenancy/test_device_sign_in.py
    elsewhere |= {"auth/login", "auth/refresh", "access/preview"}
    # By a link's secret, or where there is mail: tests/tenancy/test_invitations.py, test_password_reset.py.
    elsewhere |= {"invitations", "me/invitation", "auth/invitation", "auth/invitation/accept"}
    elsewhere |= {"auth/password-reset", "auth/password-reset/confirm"}
    elsewhere |= {"clusters"}  # tests/clusters/test_register.py, where one answers
    elsewhere |= {
        f"me/second-factor/{verb}" for verb in ("confirm", "recovery-codes", "remove")
    }  # test_second_factor.py
    assert {path for path in posts if "<" not in path} - elsewhere == set(CREATES)


@pytest.mark.django_db
@pytest.mark.parametrize("path", sorted(CREATES))
def test_no_create_leaves_a_trace(api, cluster, path):
    root, body = api("root"), CREATES[path]()
    before = everything()
    answer = root.post(f"{path}?dry_run=true", body, Idempotency_Key="k")
    assert answer.status_code == 200, answer.content
    assert everything() == before
    plan = answer.json()
    real = root.post(path, body)
    assert plan["status"] == real.status_code
    if real.status_code != 204:
        volatile = {"id", "created_at", "updated_at", "disks", "token", "expires_at", "secret", "uri"}
        assert {key: value for key, value in plan["row"].items() if key not in volatile} == {
            key: value for key, value in real.json().items() if key not in volatile
        }


def test_no_worker_is_woken_and_no_lock_is_left(live_db, monkeypatch):
    vdc = a_vdc()
    body = vm_body(vdc)
    alice = Api(session_of(make_person("alice")))
    woken: list[Any] = []
    monkeypatch.setattr(wakeup, "send", woken.append)
    before = everything()
    assert alice.post("vms?dry_run=true", body).status_code == 200
    assert (woken, everything()) == ([], before)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE mode ~ 'RowExclusive' AND pid = pg_backend_pid()")
        assert cursor.fetchone()[0] == 0
    assert alice.post("vms", body).status_code == 201
    assert len(woken) == 1


@pytest.mark.django_db
def test_the_plan_of_a_new_vm(api, cluster):
    vdc = a_vdc(limits={"cpu": 4, "memory_mib": 8192})
    plan = api("alice").post("vms?dry_run=true", vm_body(vdc, cpu=3)).json()
    assert plan["status"] == 201
    assert (plan["row"]["name"], plan["row"]["cpu"], plan["row"]["phase"]) == ("web", 3, "Pending")
    assert plan["restart_needed"] is False
    assert plan["cluster"] is None
    quota = {(line["level"], line["resource"]): line for line in plan["quota"]}
    assert quota["vdc", "cpu"]["used"] == {"before": 0, "after": 3}
    assert quota["vdc", "cpu"]["limit"] == {"before": 4, "after": 4}
    assert quota["organization", "vms"]["used"] == {"before": 0, "after": 1}
    kinds = [(change["action"], change["kind"], change["name"]) for change in plan["changes"]]
    assert kinds == [
        ("create", "Secret", "web-cloud-init"),
        ("create", "DataVolume", "web-disk-0"),
        ("create", "VirtualMachine", "web"),
    ]
    machine = {item["path"]: item["new"] for item in plan["changes"][2]["differences"]}
    assert machine["spec.template.spec.domain.cpu.cores"] == 3
    assert machine["spec.runStrategy"] == "Always"


@pytest.mark.django_db
def test_secrets_are_masked_in_a_plan(api, cluster):
    body = vm_body(a_vdc(), user_data="#cloud-config\npassword: hunter2\n", ssh_keys=[])
    answer = api("alice").post("vms?dry_run=true", body)
    secret = answer.json()["changes"][0]
    assert {item["new"] for item in secret["differences"]} == {"•••"}
    assert "hunter2" not in str(answer.json()["changes"])


@pytest.mark.django_db
def test_a_refusal_is_that_of_the_write_and_is_not_audited(api, cluster):
    vdc = a_vdc(limits={"cpu": 1})
    before = AuditEntry.objects.count()
    answer = api("alice").post("vms?dry_run=true", vm_body(vdc, cpu=2))
    assert (answer.status_code, answer.json()["quota"][0]["short_by"]) == (422, 1)
    assert AuditEntry.objects.count() == before
    assert api("bob").patch(f"vdcs/{vdc.pk}?dry_run=true", {}).status_code == 403
    assert AuditEntry.objects.latest("id").outcome == "refused"  # trying doors is told, dry run or not


@pytest.mark.django_db
def test_the_plan_of_new_limits(api, cluster):
    organization = an_organization()
    vdc = a_vdc(organization=organization, limits={"cpu": 2})
    plan = api("alice").patch(f"vdcs/{vdc.pk}?dry_run=true", {"limits": {"cpu": 5}}).json()
    line = next(item for item in plan["quota"] if item["level"] == "vdc")
    assert (line["resource"], line["limit"]) == ("cpu", {"before": 2, "after": 5})
    above = next(item for item in plan["quota"] if item["level"] == "organization")
    assert above["reserved"] == {"before": 2, "after": 5}
    body = {"limits": {"cpu": 50}, "mode": "elastic"}
    plan = api("root").request("put", f"organizations/{organization.pk}/quota?dry_run=true", body).json()
    assert [(line["level"], line["limit"]) for line in plan["quota"]] == [
        ("organization", {"before": None, "after": 50})
    ]


@pytest.mark.django_db
def test_a_stale_etag_is_told_by_the_trial_too(api, cluster):
    vm = a_vm(a_vdc())
    answer = api("alice").patch(f"vms/{vm.pk}?dry_run=true", {"description": "x"}, If_Match='"9"')
    assert answer.status_code == 412


@pytest.mark.django_db
@pytest.mark.parametrize("mode", ["false", "1", "", "server", "TRUE"])
def test_another_word_is_400_and_nothing_is_done(api, cluster, mode):
    answer = api("alice").post(f"vms?dry_run={mode}", vm_body(a_vdc()))
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "dry_run")
    assert not VirtualMachine.objects.exists()


@pytest.mark.django_db
def test_the_cluster_that_cant_be_asked_is_said_to_be_so(api, cluster):
    Cluster.objects.update(credential=encrypt("token"))
    answer = api("alice").post("vms?dry_run=cluster", vm_body(a_vdc()))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert not VirtualMachine.objects.exists()


@pytest.mark.django_db
def test_reading_takes_no_dry_run(api, cluster):
    assert api("alice").get("vms?dry_run=true").status_code == 400
