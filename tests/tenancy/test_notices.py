"""People are told by mail when what protects their account was changed, whoever did it, and never a secret with it."""

import re
import time
from email import message_from_bytes, policy

import pyotp
import pytest

from core import sealed
from core.mail import outbox
from core.models import Mail
from tenancy.models import RoleName, User
from tenancy.tasks import send_resets
from tests.cast import PASSWORD, Api, make_person, make_user, session_of
from tests.portal import browser

pytestmark = pytest.mark.django_db
STRONG = "a-very-long-passphrase"


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM, settings.OVIM_MAIL_CA = tmp_path.as_uri(), "ovim@example.org", ""
    return tmp_path


def with_address(name):
    user = make_person(name)
    User.objects.filter(pk=user.pk).update(email=f"{name}@example.org")
    return user


@pytest.fixture
def bob(db):
    return with_address("bob")


@pytest.fixture
def alice(db):
    return Api(session_of(make_person("alice")))


def told(kind):
    """The one mail of this kind: its address and its words."""
    row = Mail.objects.get(kind=kind)
    return row.recipient, re.sub(r"\s+", " ", sealed.unseal(bytes(row.body), outbox.PURPOSE, what="it"))


def enrolled(client):
    secret = client.post("me/second-factor").json()["secret"]
    codes = client.post("me/second-factor/confirm", {"code": pyotp.TOTP(secret).at(time.time() - 30)}).json()
    return secret, codes["recovery_codes"]


def test_a_password_that_was_changed_by_its_owner(bob, folder):
    Api(session_of(bob)).post("me/password", {"current_password": PASSWORD, "new_password": STRONG})
    recipient, words = told("password-changed")
    assert recipient == "bob@example.org"
    assert "The password of the account bob at http://testserver, was changed on" in words
    assert "in a session of the account, from the address 127.0.0.1" in words
    assert "http://testserver/account/tokens/" in words
    assert STRONG not in words
    assert PASSWORD not in words
    assert outbox.post() == 1
    message = message_from_bytes(next(folder.glob("*.eml")).read_bytes(), policy=policy.default)
    assert (message["To"], message["Subject"]) == ("bob@example.org", "The password of bob was changed")


def test_a_password_that_an_admin_reset_says_who_did_it_and_not_the_password(bob, alice):
    made = alice.post(f"users/{bob.pk}/reset-password", {}).json()["generated_password"]
    recipient, words = told("password-changed")
    assert recipient == "bob@example.org"
    assert "by alice." in words
    assert made not in words
    assert "127.0.0.1" not in words


def test_a_password_that_was_set_by_a_link(bob):
    Api().post("auth/password-reset", {"account": "bob"})
    send_resets()
    _, words = told("password-reset")
    token = re.findall(r"token=(\S+)", words)[0]
    Api().post("auth/password-reset/confirm", {"token": token, "new_password": STRONG})
    _, words = told("password-changed")
    assert "by a link that was sent to this address, from the address 127.0.0.1" in words
    assert token not in words


def test_a_person_of_no_organization_and_without_a_role_is_told_too():
    nobody = with_address("nobody")
    given = {"current_password": PASSWORD, "new_password": STRONG, "again": STRONG}
    assert browser(nobody).fill("/account/password/", **given).status_code == 302
    assert told("password-changed")[0] == "nobody@example.org"


def test_a_second_factor_that_was_removed(bob):
    client = Api(session_of(bob))
    secret, codes = enrolled(client)
    assert not Mail.objects.exists()
    assert client.post("me/second-factor/remove", {"code": codes[0]}).status_code == 204
    recipient, words = told("second-factor-off")
    assert recipient == "bob@example.org"
    assert "The second factor of the account bob" in words
    for hidden in (secret, *codes):
        assert hidden not in words


def test_a_second_factor_that_an_admin_reset(bob, alice):
    enrolled(Api(session_of(bob)))
    assert alice.post(f"users/{bob.pk}/reset-second-factor").status_code == 200
    assert "by alice." in told("second-factor-off")[1]


def test_a_second_factor_that_was_begun_only_protected_nothing(bob, alice):
    Api(session_of(bob)).post("me/second-factor")
    assert alice.post(f"users/{bob.pk}/reset-second-factor").status_code == 200
    assert not Mail.objects.exists()


def test_another_address_is_told_to_the_one_before_without_the_new_one(bob, alice):
    assert alice.patch(f"users/{bob.pk}", {"email": "elsewhere@example.net"}).status_code == 200
    recipient, words = told("address-changed")
    assert recipient == "bob@example.org"
    assert "by alice." in words
    assert "elsewhere@example.net" not in words
    assert alice.patch(f"users/{bob.pk}", {"email": "elsewhere@example.net"}).status_code == 200  # nothing changes
    assert alice.patch(f"users/{bob.pk}", {"full_name": "Bob"}).status_code == 200
    assert Mail.objects.count() == 1


def test_the_first_address_has_no_one_before(alice):
    vera = make_person("vera")
    assert alice.patch(f"users/{vera.pk}", {"email": "vera@example.org"}).status_code == 200
    assert not Mail.objects.exists()


def test_what_was_refused_or_only_tried_is_not_told(bob, alice):
    alice.post(f"users/{bob.pk}/reset-password?dry_run=true", {})
    alice.post(f"users/{bob.pk}/reset-password", {"password": "short"})
    alice.patch(f"users/{bob.pk}", {"email": "no address"})
    Api(session_of(bob)).post("me/password", {"current_password": "wrong", "new_password": STRONG})
    assert not Mail.objects.exists()


def test_without_a_mail_server_it_is_done_all_the_same(bob, alice, settings):
    settings.OVIM_MAIL_URL = ""
    make_user("another", RoleName.ORG_ADMIN, organization=bob.organization)
    assert alice.post(f"users/{bob.pk}/reset-password", {}).status_code == 200
    assert alice.patch(f"users/{bob.pk}", {"email": "elsewhere@example.net"}).status_code == 200
    assert not Mail.objects.exists()
