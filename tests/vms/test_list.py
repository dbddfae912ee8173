"""The list of VMs, the hot path: PostgreSQL renders it, scoped by an index, at the same cost on every page."""

import json
import re
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import orjson
import pytest
from django.db import connection, connections
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clusters.models import Cluster
from core import access
from core.actor import system_actor
from core.rights import Right
from tenancy.models import RoleName
from tests.cast import actor_of, make_person, make_user
from tests.domain import KEY, a_vdc, a_vm, an_organization
from tests.portal import browser, text
from vdcs.models import Vdc
from vms.api import serializers
from vms.api.views import VmViewSet
from vms.listings import VMS
from vms.models import TROUBLED, VirtualMachine

MANY = 30_000


@pytest.mark.django_db
def test_what_postgresql_renders_is_what_the_serializer_says(bob):
    vdc = a_vdc("other")
    a_vm(vdc, "web", actor=replace(bob, grants=system_actor("x").grants), display_name='a "ü" \\')
    a_vm(vdc, "db", power_state="off", ssh_keys=[KEY])
    VirtualMachine.objects.filter(name="web").update(
        ip_addresses=["10.0.0.1"], conditions=[{"type": "Ready", "status": "True", "message": "€"}]
    )
    rows = VirtualMachine.objects.order_by("pk")
    text, last = VmViewSet.columns.page(rows, 100)
    python = [json.loads(orjson.dumps(_by_serializer(serializers.VmOut, row))) for row in rows]
    assert _without_actions(json.loads(text)) == python
    assert last is None
    for row in rows:
        (line,) = _without_actions([json.loads(VmViewSet.one.one(row.pk))])
        assert line == json.loads(orjson.dumps(_by_serializer(serializers.VmDetail, row)))


def _without_actions(lines):
    """They depend on who asks: `test_allowed_actions.py`."""
    return [{name: value for name, value in line.items() if name != "allowed_actions"} for line in lines]


def _by_serializer(shape, row):
    shown = shape(row)
    del shown.fields["allowed_actions"]
    return shown.data


@pytest.fixture
def crowd(live_db):
    """Many VMs, nearly all of one organization; a user with fifty of them. Committed, so that PostgreSQL counts them."""
    large, small = (a_vdc("main", organization=an_organization(name)) for name in ("large", "small"))
    bob = make_person("bob")
    acme = Vdc.objects.get(name="dev")
    with connection.cursor() as cursor:
        cursor.execute(
            CROWD,
            {
                "few": acme.organization_id, "some": small.organization_id, "most": large.organization_id,
                "few_vdc": acme.pk, "some_vdc": small.pk, "most_vdc": large.pk, "bob": bob.pk, "count": MANY,
            },
        )  # fmt: skip
    with connections["owner"].cursor() as cursor:
        cursor.execute("ANALYZE vms_virtualmachine")
    return {"large": large, "small": small, "bob": bob}


CROWD = """
INSERT INTO vms_virtualmachine (id, generation, observed_generation, phase, conditions, organization_id, vdc_id, owner_id,
  name, display_name, description, cpu, memory_mib, power_state, power_generation, power_applied_generation, user_data,
  ssh_keys, ip_addresses, node, guest_os, progress, "order")
SELECT gen_random_uuid(), 1, 1, 'Running', '[]',
  CASE WHEN n <= 50 THEN %(few)s::uuid WHEN n %% 12 = 0 THEN %(some)s ELSE %(most)s END,
  CASE WHEN n <= 50 THEN %(few_vdc)s::uuid WHEN n %% 12 = 0 THEN %(some_vdc)s ELSE %(most_vdc)s END,
  CASE WHEN n <= 50 THEN %(bob)s::uuid END,
  'vm-' || n, '', '', 1, 512, 'on', 1, 1, '', '[]', '[]', '', '', '', '' FROM generate_series(1, %(count)s) n
"""


def _rows_read(actor, after=None):
    rows = access.visible(actor, VirtualMachine.objects.order_by(), Right.VM_VIEW).order_by("pk")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    (plan,) = json.loads(rows.values("pk")[:101].explain(format="json", analyze=True))
    return _sum(plan["Plan"]), json.dumps(plan)


def _sum(node):
    own = node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
    return max([own, *(_sum(child) for child in node.get("Plans", ()))])


def test_no_role_and_no_page_reads_more_than_it_shows(crowd):
    actors = {
        "system admin": system_actor("root"),
        "admin of the large organization": actor_of(
            make_user("lara", RoleName.ORG_ADMIN, organization=crowd["large"].organization)
        ),
        "user with fifty": actor_of(crowd["bob"]),
    }
    for who, actor in actors.items():
        seen = access.visible(actor, VirtualMachine.objects.all(), Right.VM_VIEW)
        last = list(seen.order_by("-pk").values_list("pk", flat=True)[:102])[-1]
        for page, after in (("first", None), ("last", last)):
            read, plan = _rows_read(actor, after)
            assert read <= 110, (who, page, plan)
            assert "Seq Scan" not in plan, (who, page)


@pytest.mark.django_db
def test_the_list_through_the_door(api, cluster):
    vdc = a_vdc("other")
    for number in range(5):
        a_vm(vdc, f"vm-{number}")
    client = api("alice")
    first = client.get("vms?limit=2").json()
    assert [item["name"] for item in first["items"]] == ["vm-0", "vm-1"]
    second = client.get(f"vms?limit=2&after={first['next']}").json()
    assert [item["name"] for item in second["items"]] == ["vm-2", "vm-3"]
    assert client.get(f"vms?limit=2&after={second['next']}").json()["next"] is None
    assert [item["name"] for item in client.get("vms?name=vm-3").json()["items"]] == ["vm-3"]
    assert len(client.get("vms?q=VM-").json()["items"]) == 5
    assert client.get("vms?phase=Running").json()["items"] == []
    assert client.get(f"vms?vdc={uuid4()}").json()["items"] == []
    assert api("charlie").get("vms").json()["items"] == []
    assert api("bob").get("vms").json()["items"] == []
    for query in ("vdc=5", "phase=Nice", "limit=0", "limit=1000", "after=x", "colour=red", "power_state=maybe"):
        answer = client.get(f"vms?{query}")
        name = query.partition("=")[0]
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, name), answer.content


@pytest.mark.django_db
def test_a_list_costs_the_same_queries_however_long(api, cluster):
    vdc, client = a_vdc("other"), api("alice")

    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get("vms").status_code == 200
        return len(captured)

    before = queries()
    for number in range(5):
        a_vm(vdc, f"vm-{number}")
    assert queries() == before <= 3


@pytest.mark.django_db
def test_lists_say_whose_cluster_is_lost_and_since_when(cluster):
    a_vm(a_vdc("other"), "web")
    for page in ("/vms/", "/vdcs/"):
        assert "Cluster lost" not in text(browser("alice").get(page))
    Cluster.objects.update(failing_since=timezone.now() - timedelta(minutes=7))
    for page in ("/vms/", "/vdcs/"):
        assert re.search(r"Cluster lost\s7.min", text(browser("alice").get(page))), page


assert VMS.search is not None  # the list of VMs has one


@pytest.mark.parametrize(
    ("where", "indexes"),
    [
        (VMS.search("web"), ("vm_name_trigrams", "vm_display_name_trigrams", "vm_address_trigrams")),
        (Q(power_state="off"), ("vm_at_rest",)),
        (Q(phase="Stopped"), ("vm_at_rest",)),
        (Q(phase__in=TROUBLED), ("vm_not_calm",)),
    ],
)
def test_what_the_list_looks_for_an_index_can_find(db, where, indexes):
    """With nothing else allowed but what an index finds: a condition without one would read every row all the same."""
    with connection.cursor() as cursor:
        for way in ("seqscan", "indexscan", "indexonlyscan"):
            cursor.execute(f"SET LOCAL enable_{way} = off")
    plan = VirtualMachine.objects.filter(where).order_by().explain()
    assert "Seq Scan" not in plan
    assert all(name in plan for name in indexes), plan
