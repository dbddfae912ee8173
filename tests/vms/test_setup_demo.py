"""`manage.py setup_demo`: run twice it changes nothing, and passwords are told once and kept."""

import io
import json

from django.core.management import call_command

from clusters.models import Cluster
from tenancy.models import Organization, RoleBinding, User
from tests.vms.conftest import Site
from vdcs.models import QuotaScope, Vdc


def counts():
    models = (Cluster, Organization, RoleBinding, User, Vdc, QuotaScope)
    return [model.objects.count() for model in models] + list(User.objects.order_by("pk").values_list("password"))


def test_twice_is_once(site: Site, tmp_path):
    file = tmp_path / "sign-ins.json"
    assert file.stat().st_mode & 0o777 == 0o600
    told = json.loads(file.read_text())
    assert told["demo_user"] == "bob"
    assert [person["username"] for person in told["sign_ins"]] == ["root", "alice", "vera", "bob"]
    for person in told["sign_ins"]:
        assert User.objects.get(username=person["username"]).check_password(person["password"])
    before = counts()
    call_command("setup_demo", "--sign-ins", str(file), stderr=io.StringIO())
    assert counts() == before
    assert json.loads(file.read_text()) == told

    call_command("setup_demo", "--sign-ins", str(file), "--reset-passwords", stderr=io.StringIO())
    person = json.loads(file.read_text())["sign_ins"][0]
    assert person["password"] != told["sign_ins"][0]["password"]
    assert User.objects.get(username="root").check_password(person["password"])
