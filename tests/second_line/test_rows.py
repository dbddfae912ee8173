"""What PostgreSQL itself shows and takes, whatever a query says: table by table, for two tenants with a row in each."""

import contextlib
import copy

import pytest
from django.db import ProgrammingError, connection, connections, transaction

from clusters.models import Cluster
from core import tenants
from core.database.bounds import NOTHING, Bounds
from core.ids import uuid7
from tenancy.models import User
from tests.cast import actor_of, make_person
from tests.second_line.test_tables import SECURED

REFUSED = "row-level security|permission denied"


@pytest.fixture
def bounds(acme_rows, globex_rows):
    """Alice's: organization admin of acme."""
    return tenants.of(actor_of(User.objects.get(username="alice")))


@pytest.fixture
def all_rows(acme_rows, globex_rows):
    """model → (acme's row, globex's row); every guarded table has both."""
    assert set(acme_rows) == set(SECURED), "give the new table a row in conftest.fill"
    return {model: (acme_rows[model], globex_rows[model]) for model in acme_rows}


def test_a_query_without_any_condition_answers_ones_own_tenant_alone(all_rows, bounds):
    for model, (own, foreign) in all_rows.items():
        with tenants.within(bounds):
            seen = set(model._default_manager.values_list("pk", flat=True))
            named = model._default_manager.filter(pk=foreign.pk).exists()
        assert own.pk in seen, model
        assert foreign.pk not in seen, model
        assert not named, model


def test_plain_sql_sees_no_more(all_rows, bounds):
    for model, (_, foreign) in all_rows.items():
        key = model._meta.pk.column
        with tenants.within(bounds), connection.cursor() as cursor:
            cursor.execute(f"SELECT {key} FROM {model._meta.db_table}")
            seen = {row[0] for row in cursor.fetchall()}
        assert seen, model
        assert foreign.pk not in seen, model


def test_another_tenants_row_is_neither_changed_nor_deleted(all_rows, bounds):
    for model, (_, foreign) in all_rows.items():
        name = next(f.attname for f in model._meta.concrete_fields if not f.primary_key)
        rows = model._default_manager.filter(pk=foreign.pk)
        with tenants.within(bounds):
            assert _reached(rows.update, **{name: getattr(foreign, name)}) == 0
            assert _reached(rows._raw_delete, "default") == 0
        assert model._default_manager.filter(pk=foreign.pk).exists(), model


def _reached(change, *given, **values):
    """How many rows were changed. Of the audit log's tables nobody may change anything."""
    with contextlib.suppress(ProgrammingError), transaction.atomic():
        return change(*given, **values)
    return 0


def test_nothing_is_written_into_another_tenant(all_rows, bounds):
    for model, (_, foreign) in all_rows.items():
        forged = copy.copy(foreign)
        pk = model._meta.pk
        forged.pk = foreign.pk + 1_000_000 if isinstance(foreign.pk, int) else uuid7()
        if pk.attname == "chain":
            forged.pk = foreign.pk
        if pk.attname == "digest":
            forged.pk = "0" * 64
        with tenants.within(bounds), pytest.raises(ProgrammingError, match=REFUSED), transaction.atomic():
            forged.save(force_insert=True)


def test_ones_own_row_is_not_moved_to_another_tenant(all_rows, bounds):
    moved = 0
    for model, (own, foreign) in all_rows.items():
        for name in {f.attname for f in model._meta.concrete_fields} & {"organization_id", "tenant_id", "tenant"}:
            moved += 1
            with tenants.within(bounds), pytest.raises(ProgrammingError, match=REFUSED), transaction.atomic():
                model._default_manager.filter(pk=own.pk).update(**{name: getattr(foreign, name)})
    assert moved > 8


def test_a_machine_is_in_no_vdc_of_another_tenant(all_rows, bounds):
    """The copy of the organization on its row says where it belongs: the database keeps it the VDC's."""
    from vdcs.models import Vdc
    from vms.models import VirtualMachine

    own, foreign_vdc = all_rows[VirtualMachine][0], all_rows[Vdc][1]
    with pytest.raises(Exception, match="vm_in_organization"), tenants.within(bounds), transaction.atomic():
        VirtualMachine.objects.filter(pk=own.pk).update(vdc=foreign_vdc.pk, name="x")


def test_before_anybody_has_entered_there_is_nothing(all_rows):
    for model in all_rows:
        with tenants.within(NOTHING):
            assert not model._default_manager.exists(), model


def test_what_belongs_to_no_tenant_is_seen_by_all(all_rows):
    with tenants.within(NOTHING):
        assert Cluster.objects.exists()


def test_whoever_has_a_role_in_two_organizations_sees_both(all_rows, bounds):
    both = Bounds(frozenset(row.organization_id for row in all_rows[User]))
    for model, rows in all_rows.items():
        with tenants.within(both):
            seen = model._default_manager.filter(pk__in=[row.pk for row in rows]).count()
        personal = model._meta.db_table in ("core_savedview", "core_answeredrequest")
        assert seen == (0 if personal else 2), model


def test_a_role_at_system_level_sees_everything(all_rows):
    whole = tenants.of(actor_of(make_person("root")))
    for model, rows in all_rows.items():
        with tenants.within(whole):
            assert model._default_manager.filter(pk__in=[row.pk for row in rows]).count() == 2, model


def test_whoever_owns_something_that_is_seen_has_a_name(all_rows, bounds):
    """The provider's people are hidden, but for those whose machines stand in one's own organization."""
    from vms.models import VirtualMachine

    root, other = make_person("root"), make_person("nobody")
    VirtualMachine.objects.filter(pk=all_rows[VirtualMachine][0].pk).update(owner=root)
    with tenants.within(bounds):
        assert User.objects.filter(pk=root.pk).exists()
        assert not User.objects.filter(pk=other.pk).exists()
        assert User.objects.filter(pk=root.pk).update(full_name="x") == 0


def test_somebody_from_elsewhere_with_a_role_here_is_seen_but_not_changed(all_rows, bounds):
    from tenancy.models import RoleBinding, RoleName

    charlie, acme = User.objects.get(username="charlie"), User.objects.get(username="alice").organization
    RoleBinding.objects.create(user=charlie, role=RoleName.ORG_ADMIN, organization=acme)
    with tenants.within(bounds):
        assert User.objects.filter(pk=charlie.pk).exists()
        assert RoleBinding.objects.filter(user=charlie).count() == 1
        with pytest.raises(ProgrammingError, match=REFUSED), transaction.atomic():
            User.objects.filter(pk=charlie.pk).update(full_name="x")


def test_the_owner_migrates_all_rows(all_rows):
    for model, rows in all_rows.items():
        found = model._default_manager.using("owner").filter(pk__in=[row.pk for row in rows])
        assert found.count() == 2, model
    connections["owner"].close()
