"""Requests with the first line broken on purpose, and what they leave behind on the connection."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from django.db import close_old_connections, connection, connections, transaction
from django.db.models import Q
from django.test import Client

from core import access, tenants
from core.api.base import ApiViewSet
from core.database.base import DatabaseWrapper
from core.models import AuditEntry
from tenancy.models import Organization, Session, User
from tests.cast import Api, session_of
from tests.portal import Browser, browser
from vdcs.models import Vdc
from vms.models import VirtualMachine

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line lets everybody through to everything."""
    monkeypatch.setattr(access, "_decider", lambda: lambda actor, scope, right: ~Q(pk=None))


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch):
    """This process is a web server's: its connection's own role sees no tenant."""
    connection.close()
    monkeypatch.setattr(DatabaseWrapper, "works_for_all", False)
    yield
    connection.close()


@pytest.fixture
def alice(acme_rows, globex_rows) -> Api:
    return Api(session_of(User.objects.get(username="alice")))


def bounds_now() -> Any:
    backend: Any = connections["default"]
    return backend.bounds


LISTS = ("organizations", "vdcs", "vms", "catalogs", "users", "role-bindings", "audit-entries", "tokens")


def test_lists_of_the_api_hold_to_ones_own_tenant(alice, acme_rows, globex_rows, gone):
    foreign = {str(row.pk) for row in globex_rows.values()}
    own = {str(row.pk) for row in acme_rows.values()}
    for name in LISTS:
        answer = alice.get(name)
        assert answer.status_code == 200, (name, answer.content)
        ids = {item["id"] for item in answer.json()["items"]}
        assert ids & own, name
        assert not ids & foreign, name


def test_rows_of_another_tenant_answer_404(alice, globex_rows, gone):
    for path, model in (("vms", VirtualMachine), ("vdcs", Vdc), ("organizations", Organization), ("users", User)):
        address = f"{path}/{globex_rows[model].pk}"
        assert alice.get(address).status_code == 404, path
        assert (
            alice.patch(address, {"display_name": "x"} if path != "users" else {"email": "x@x.org"}).status_code == 404
        )
        if path != "organizations":  # the provider's alone, whichever
            assert alice.delete(address).status_code == 404, path
        assert model.objects.filter(pk=globex_rows[model].pk).exists()


def test_nothing_is_made_in_another_tenant(alice, globex_rows, gone):
    answer = alice.post("vms", {"vdc": str(globex_rows[Vdc].pk), "name": "mine"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "vdc"
    assert not VirtualMachine.objects.filter(name="mine").exists()


def test_pages_hold_to_ones_own_tenant(acme_rows, globex_rows, gone):
    client = browser("alice")
    for path in ("/", "/vms/", "/vdcs/", "/orgs/", "/people/", "/activity/", "/search/?q=e"):
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        text = answer.content.decode()
        assert "globex" not in text, path
        assert "charlie" not in text, path


def test_an_export_holds_to_ones_own_tenant_and_keeps_no_transaction_open(acme_rows, globex_rows, gone, web):
    client = browser_of("alice")
    answer: Any = client.get("/activity/export/?format=jsonl")
    assert answer.status_code == 200
    text = b""
    for piece in answer.streaming_content:
        assert connection.connection.info.transaction_status.name == "IDLE"
        text += piece
    assert str(acme_rows[AuditEntry].pk) in text.decode()
    assert str(globex_rows[AuditEntry].pk) not in text.decode()


def browser_of(name: str) -> Browser:
    """Where this process itself may not see the person before he has come."""
    with tenants.everything():
        return browser(User.objects.get(username=name))


def test_a_name_that_another_tenant_has_is_refused_as_taken(alice, globex_rows):
    """The row that it collides with is hidden; the constraint speaks all the same."""
    answer = alice.post(
        "users", {"username": "charlie", "password": "correct horse battery", "organization": own(alice)}
    )
    assert answer.status_code == 409, answer.content
    assert answer.json()["errors"][0] == {
        "field": "username", "rule": "unique", "message": "There is one with this username already.",
    }  # fmt: skip


def own(api: Api) -> str:
    assert api.session is not None
    return str(Session.objects.get(pk=api.session.pk).user.organization_id)


def test_roles_elsewhere_still_protect_an_account(alice, acme_rows, globex_rows):
    """Alice may not set the password of an account that is globex' admin, too: she does not see that role."""
    from tenancy.models import RoleBinding, RoleName

    both = User.objects.create(username="both", organization=acme_rows[Organization])
    RoleBinding.objects.create(user=both, role=RoleName.ORG_ADMIN, organization=globex_rows[Organization])
    answer = alice.post(f"users/{both.pk}/reset-password", {})
    assert answer.status_code == 403, answer.content


# ---- what is left on the connection


def test_outside_a_request_a_web_process_sees_nothing(acme_rows, web):
    assert not Vdc.objects.exists()
    assert not User.objects.exists()


def test_a_request_leaves_nothing_behind(acme_rows, globex_rows, web):
    def rest() -> tuple[object, ...]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_user, coalesce(current_setting('ovim.organizations', true), '') = ''")
            return (*cursor.fetchone(), bounds_now(), connection.connection.info.transaction_status.name)

    client = browser_of("alice")
    assert client.get("/vms/").status_code == 200
    pid = connection.connection.info.backend_pid
    assert rest() == ("ovim_app", True, None, "IDLE")
    assert not Vdc.objects.exists()
    assert connection.connection.info.backend_pid == pid, "the same connection, or this shows nothing"


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_a_request_that_breaks_leaves_nothing_behind(acme_rows, globex_rows, web, monkeypatch, error):
    seen: list[object] = []

    def broken(view, request):
        seen.extend(Vdc.objects.values_list("pk", flat=True))
        raise error

    with tenants.everything():
        api = Api(session_of(User.objects.get(username="alice")))
    monkeypatch.setattr(ApiViewSet, "list", broken)
    if issubclass(error, Exception):
        assert api.get("vms").status_code == 500
    else:
        with pytest.raises(error):
            api.get("vms")
    assert seen == [acme_rows[Vdc].pk]
    assert bounds_now() is None
    assert not Vdc.objects.exists()


def test_a_request_inside_a_broken_transaction_leaves_nothing_behind(acme_rows, web, monkeypatch):
    def broken(view, request):
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")

    with tenants.everything():
        api = Api(session_of(User.objects.get(username="alice")))
    monkeypatch.setattr(ApiViewSet, "list", broken)
    assert api.get("vms").status_code >= 400
    assert not Vdc.objects.exists()


def test_a_connection_that_is_killed_in_a_request_serves_the_next_one_right(acme_rows, globex_rows, web, monkeypatch):
    def cut_off(view, request):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with tenants.everything():
        alice, charlie = (Api(session_of(User.objects.get(username=name))) for name in ("alice", "charlie"))
    with monkeypatch.context() as patch:
        patch.setattr(ApiViewSet, "list", cut_off)
        assert alice.get("vms").status_code == 503
    close_old_connections()  # as at the end of each request, but for those of Django's test client
    (seen,) = charlie.get("vms").json()["items"]
    assert seen["id"] == str(globex_rows[VirtualMachine].pk)


def test_people_at_the_same_time_see_each_his_own(acme_rows, globex_rows):
    wrong: list[object] = []

    def ask(name: str, rows) -> None:
        try:
            api = Api(session_of(User.objects.get(username=name)))
            for _ in range(15):
                ids = [item["id"] for item in api.get("vms").json()["items"]]
                if ids != [str(rows[VirtualMachine].pk)]:
                    wrong.append((name, ids))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=who) for who in [("alice", acme_rows), ("charlie", globex_rows)] * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_who_is_not_signed_in_sees_nothing(acme_rows, monkeypatch, gone):
    from tenancy import views

    seen: list[int] = []
    page: Any = views
    real = page.render

    def render(*args, **kwargs):
        seen.append(Vdc.objects.count())
        return real(*args, **kwargs)

    monkeypatch.setattr(views, "render", render)
    assert Client().get("/sign-in/").status_code == 200
    assert seen == [0]


# ---- which process is whose

ASK = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT current_user, (SELECT count(*) FROM vdcs_vdc)")
    print(*cursor.fetchone())
"""
PROGRAMS = {
    "web": ("import ovim_site.wsgi", "ovim_app 0"),
    "live": ("import ovim_site.live.app", "ovim_app 0"),
    "worker and beat": ("import ovim_site.celery, django; django.setup()", "ovim_app_whole 1"),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_program_begins_as_what_it_is(name, acme_rows):
    load, expected = PROGRAMS[name]
    assert _said([sys.executable, "-c", load + ASK]) == expected


def test_commands_see_all_tenants(acme_rows):
    assert _said([sys.executable, "manage.py", "shell", "--no-imports", "-c", ASK]) == "ovim_app_whole 1"


def _said(command: list[str]) -> str:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "ovim_site.settings"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if re.match(r"ovim_app", line)]
    return lines[-1]
