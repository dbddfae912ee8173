"""A provider that is switched off or removed: whoever came in by it is out at once, and nobody slips in meanwhile."""

import threading
import time

import pyotp
import pytest
from django.db import connection, transaction

from core import sealed
from core.models import AuditEntry
from tenancy.models import SecondFactor, Session
from tenancy.oidc.rows import Identity, IdentityProvider
from tenancy.services import codes, identity_providers
from tests.cast import Api, actor_of, make_organization, make_person, session_of
from tests.portal import Browser, browser, text
from tests.tenancy.oidc.conftest import back, begin, sign_in


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["off", "deleted"])
def test_ends_the_sessions_that_came_through_it_and_no_others(op, make_provider, acme, how):
    provider, alice = make_provider(acme), Api(session_of(make_person("alice")))
    inside, _ = sign_in(op, provider)
    by_password = browser(Identity.objects.get().user)
    assert inside.get("/settings/").status_code == 200
    address = f"identity-providers/{provider.pk}"
    answer = alice.patch(address, {"enabled": False}) if how == "off" else alice.delete(address)
    assert answer.status_code in (200, 204)
    assert inside.get("/settings/").headers["Location"].startswith("/sign-in/")
    assert by_password.get("/settings/").status_code == 200
    assert alice.get("me").status_code == 200
    entry = AuditEntry.objects.get(action=f"identity_provider.{'edit' if how == 'off' else 'delete'}")
    assert (entry.after or {}).get("sessions_ended", (entry.before or {}).get("sessions")) == 1


@pytest.mark.django_db
def test_another_change_ends_nothing(op, make_provider, acme):
    provider, alice = make_provider(acme), Api(session_of(make_person("alice")))
    inside, _ = sign_in(op, provider)
    assert alice.patch(f"identity-providers/{provider.pk}", {"display_name": "Acme"}).status_code == 200
    assert alice.patch(f"identity-providers/{provider.pk}?dry_run=true", {"enabled": False}).status_code == 200
    assert inside.get("/settings/").status_code == 200


@pytest.mark.django_db
def test_the_portal_says_so_before(op, make_provider, acme):
    provider, alice = make_provider(acme), browser("alice")
    page = f"/identity-providers/{provider.pk}/"
    assert "at once" not in text(alice.get(page + "edit/"))
    sign_in(op, provider)
    assert "Switched off, it also ends the session that began by it, at once." in text(alice.get(page + "edit/"))
    op.claims = op.more = {"sub": "s-2"}
    sign_in(op, provider)
    assert "It ends the 2 sessions that began by it, at once." in text(alice.get(page + "delete/"))


@pytest.mark.django_db
def test_an_admin_who_came_by_it_himself_is_told_that_his_ends_too(op, make_provider, acme):
    provider = make_provider(acme, rules=[{"match": "exact", "value": "admins", "role": "org_admin"}])
    op.claims = op.more = {"sub": "s-1", "groups": ["admins"]}
    admin, _ = sign_in(op, provider)
    told = text(admin.get(f"/identity-providers/{provider.pk}/edit/"))
    assert "the session that began by it, at once, yours among them." in told


@pytest.mark.django_db
def test_a_sign_in_that_waits_for_a_code_comes_to_nothing(op, make_provider, acme):
    provider = make_provider(acme)
    sign_in(op, provider)
    user, secret = Identity.objects.get().user, pyotp.random_base32()
    SecondFactor.objects.create(user=user, secret=sealed.seal(secret, codes.PURPOSE), confirmed_at="2026-01-01T00:00Z")
    client, _ = sign_in(op, provider)
    Api(session_of(make_person("alice"))).patch(f"identity-providers/{provider.pk}", {"enabled": False})
    assert client.post("/sign-in/code/", {"code": pyotp.TOTP(secret).now()}).status_code == 422
    assert not Session.objects.filter(user=user, revoked_at=None).exists()


def test_a_sign_in_at_the_same_moment_is_refused(live_db, op):
    """It had come back from the provider before that was switched off, and has no session yet."""
    make_person("alice")
    provider, answers = identity_providers.create_provider(
        actor=actor_of(make_person("root")), organization=make_organization("acme"), name="sso", issuer=op.issuer,
        client_id="ovim",
    ), []  # fmt: skip
    client, state = begin(op, provider, Browser(raise_request_exception=False))

    def arrive():
        answers.append(back(client, provider, state))
        connection.close()

    with transaction.atomic():
        row = IdentityProvider.objects.get(pk=provider.pk)
        identity_providers.edit_provider(actor=actor_of(make_person("alice")), provider=row, changes={"enabled": False})
        late = threading.Thread(target=arrive)
        late.start()
        deadline = time.monotonic() + 5
        while late.is_alive() and time.monotonic() < deadline and not _waits():
            time.sleep(0.05)
    late.join()
    assert answers[0].status_code == 422
    assert "switched off meanwhile" in text(answers[0])
    assert not Session.objects.filter(by_provider__isnull=False).exists()


def _waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0
