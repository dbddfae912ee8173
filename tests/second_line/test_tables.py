"""No tenant's table without the second line, and no way around it that nobody has thought about."""

import ast
from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import connection, connections

from core.access import Scope
from core.checks import missing_role

ROOT = Path(__file__).resolve().parents[2]
OURS = ("core", "clusters", "tenancy", "vdcs", "catalogs", "vms", "ovim_site")
# A model without policies, and why.
OPEN = {
    "core.AuditWaiting": "ids of entries and nothing else; a trigger writes them in whoever's transaction",
    "core.AuditStream": "how far a receiver of the provider's was told; engine and commands alone use it",
    "clusters.Installation": "one row for all",
    "clusters.Cluster": "the provider's; every tenant's VDC stands on one",
    "clusters.Orphan": "the provider's; of no tenant, which is what makes it an orphan",
    "clusters.NamespaceAllotment": "names only; a name that is taken has to be seen as taken",
    "clusters.InventoryItem": "the engine's: by kind and id, without a tenant; read by the key of a row that was seen",
    "clusters.ObservedObject": "the engine's cache: by cluster and name; read by what a seen row's inventory names",
    "catalogs.ImageProbe": "the engine's: by the id of a disk that was seen",
    "tenancy.SigningKey": "the installation's",
    "tenancy.FailedSignIns": "counted before anybody is known",
    "tenancy.SpentToken": "digests of what was used once, before anybody is known",
}
# Where all tenants' rows are looked at in a request, and why.
EVERYTHING = {
    "tenancy/selectors.py:_asked": "who asks has to be known before it can be said what he sees",
    "tenancy/services/sessions.py:sign_in": "nobody is known yet",
    "tenancy/services/sessions.py:sign_in_by_code": "nobody is known yet",
    "tenancy/services/sessions.py:begin": "the person is known, and has not entered yet",
    "tenancy/services/sessions.py:refresh": "nobody is known yet",
    "tenancy/selectors.py:bindings_of": "what a person can, elsewhere too, decides who may be over him",
    "tenancy/services/admins.py:_administered": "who loses an admin role anywhere",
    "tenancy/services/admins.py:_require_one": "whether another admin is left, wherever he is from",
    "tenancy/services/reach.py:changed_of": "clusters of all organizations where the person is bound hear of it",
    "tenancy/services/reach.py:changed_by": "the same of a group",
    "tenancy/services/reach.py:changed_of_people_of": "the same of an organization's people",
    "tenancy/services/resets.py:ask": "nobody is known yet",
    "tenancy/services/resets.py:ask_counted": "nobody is known yet",
    "tenancy/services/resets.py:check": "a link's secret says whose it is",
    "tenancy/services/resets.py:use": "a link's secret says whose it is",
    "tenancy/services/invitations.py:look": "a link's secret says which it is, to whoever is invited",
    "tenancy/services/invitations.py:accept_new": "a link's secret says which it is, to whoever is invited",
    "tenancy/services/invitations.py:accept_as": "a link's secret says which it is, to somebody of another organization",
    "tenancy/services/invitations.py:vdc_name": "told to whoever has the link",
    "tenancy/explain.py:_near": "that a system admin could give it is told, as an office, not as a person",
    "tenancy/services/previews.py:end": "the session is the previewer's, and acts as somebody else",
    "tenancy/services/sessions.py:note_use": "a session that shows another one's view is the previewer's",
    "tenancy/oidc/realms.py:offered": "who signs in is asked how before he is known",
    "tenancy/oidc/realms.py:has_own": "who signs in is asked how before he is known",
    "tenancy/oidc/realms.py:by_slug": "who signs in is asked how before he is known",
    "tenancy/oidc/realms.py:by_id": "whose provider a person came back from, to be told that it is not for him",
    "tenancy/oidc/realms.py:of_address": "who signs in is asked how before he is known",
    "tenancy/services/arrivals.py:arrive": "a provider says who it is, and nobody is known yet",
    "tenancy/services/arrivals.py:complete": "nobody is known yet",
    "tenancy/services/arrivals.py:note_refusal": "nobody is known, and it is put down with the provider's organization",
    "tenancy/services/departures.py:end_by_provider": "a provider says whose sessions end, and has none itself",
    "tenancy/services/roles.py:delete_role": "rules of the provider's own identity providers name it, too",
    "tenancy/services/provider_roles.py:require_admins": "whether another admin is left, wherever he is from",
    "tenancy/brands.py:brand_named": "name, logo and colours of an organization are for everybody",
    "tenancy/brands.py:logo": "name, logo and colours of an organization are for everybody",
    "tenancy/brands.py:style": "name, logo and colours of an organization are for everybody",
    "tenancy/services/users.py:_delete": "what was the person's own goes with him",
    "tenancy/services/device_sign_ins.py:ask": "nobody is known yet",
    "tenancy/services/device_sign_ins.py:look": "a command that waits is nobody's until somebody has its code",
    "tenancy/services/device_sign_ins.py:_decide": "a command that waits is nobody's until somebody has its code",
    "tenancy/services/device_sign_ins.py:exchange": "a secret says whose it is, and nobody is known yet",
    "tenancy/services/notices.py:_put": "a mail to somebody of no organization is put for nobody's eyes but the engine's",
    "vms/owners.py:hand_over": "machines where the actor has no say are what it is refused for",
    "ovim_site/live/viewer.py:_places": "a change is read once for all who listen; each is decided alone (ADR 11)",
    "ovim_site/metrics.py:exposition": "numbers over all tenants, and nothing of any of them",
}


def _models():
    return [model for model in apps.get_models() if model._meta.app_label in OURS]


SECURED = {model for model in _models() if model._meta.label not in OPEN}


def test_every_table_of_tenants_has_both_policies(live_db):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, array_agg(p.polname::text ORDER BY p.polname) FROM pg_class c "
            "JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relrowsecurity GROUP BY 1"
        )
        guarded = dict(cursor.fetchall())
    for model in _models():
        if model in SECURED:
            assert {"tenant", "whole"} <= set(guarded.get(model._meta.db_table, ())), f"{model}: core.policies.secure"
        else:
            assert model._meta.db_table not in guarded, f"{model} is guarded: take it off the list"


def test_no_table_that_says_whose_its_rows_are_is_left_open():
    for label in OPEN:
        scope = getattr(apps.get_model(label), "scope", None)
        assert not isinstance(scope, Scope) or scope == Scope(), label


def test_everything_is_looked_at_only_where_it_is_said_why():
    found = set()
    for app in OURS:
        for path in (ROOT / app).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and any(_is_everything(inner) for inner in ast.walk(node)):
                    found.add(f"{path.relative_to(ROOT)}:{node.name}")
    assert found == set(EVERYTHING)


def _is_everything(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "tenants"
        and node.attr in ("everything", "within", "EVERYTHING")
    )


def test_nothing_else_gets_at_the_bounds():
    """What the list above is made of can't be had under another name."""
    for app in OURS:
        for path in (ROOT / app).rglob("*.py"):
            if path.relative_to(ROOT).parts[:2] in (("core", "database"), ("core", "tenants.py")):
                continue
            text = path.read_text()
            assert "core.tenants import" not in text, path
            assert "core.database.b" not in text or path.name in ("policies.py", "checks.py"), path
            assert "connection.bounds" not in text, path


def test_the_role_that_sees_everything_may_do_what_the_login_may_and_no_more(live_db):
    """Grants are given twice: what a migration takes from the login it has to take from the other one, too."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, p, has_table_privilege('ovim_app', c.oid, p), has_table_privilege('ovim_app_whole', c.oid, p)
            FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE']) p
            WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
            """
        )
        different = [(table, what) for table, what, login, whole in cursor.fetchall() if login != whole]
        assert different == []
        cursor.execute(
            "SELECT rolname, rolsuper, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname LIKE 'ovim_app%'"
        )
        assert set(cursor.fetchall()) == {("ovim_app", False, False, True), ("ovim_app_whole", False, False, False)}


def test_the_check_says_what_the_operator_has_to_run(live_db):
    with connections["owner"].cursor() as cursor:
        said = missing_role(cursor, "someone")
    assert said is not None
    assert 'CREATE ROLE "someone_whole" NOLOGIN NOBYPASSRLS; GRANT "someone_whole" TO "someone"' in said
    call_command("check", databases=["owner"])
