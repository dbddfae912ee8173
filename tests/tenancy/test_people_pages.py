"""People by hand at the portal: forms over HTTP, without a browser."""

import re

import pytest
from django.test import Client, override_settings

from tenancy.models import RoleBinding, Session, User
from tests.cast import PASSWORD, CheapArgon2, make_person, make_user, session_of
from tests.portal import browser, text

pytestmark = pytest.mark.django_db
STRONG = "a-very-long-passphrase"


def shown_password(answer) -> str:
    return str(re.findall(r'<input id="password" value="([^"]+)" readonly', answer.content.decode())[0])


def signs_in(name, password):
    client = Client()
    return client, client.post("/sign-in/", {"username": name, "password": password})


def test_a_person_is_made_and_the_password_shown_once(acme):
    alice = browser("alice")
    page = alice.get("/people/new/")
    given = {"username": "eve", "organization": str(acme.pk), "full_name": "Eve Adams", "email": "eve@example.org"}
    made = alice.fill("/people/new/", seen=page, **given)
    eve = User.objects.get(username="eve")
    assert (made.status_code, made.headers["Cache-Control"]) == (200, "no-store")
    assert (eve.full_name, eve.email, eve.organization, eve.must_change_password) == (
        "Eve Adams",
        "eve@example.org",
        acme,
        True,
    )
    again = alice.fill("/people/new/", seen=page, **given)  # the reload of that page
    assert (again.status_code, again.headers["Location"]) == (302, f"/people/{eve.pk}/")
    assert User.objects.filter(username="eve").count() == 1

    client, answer = signs_in("eve", shown_password(made))
    assert answer.status_code == 302
    for address in ("/", "/vms/", "/settings/", f"/people/{eve.pk}/"):
        assert client.get(address).headers["Location"] == "/account/password/"
    given = {"current_password": shown_password(made), "new_password": STRONG, "again": STRONG}
    assert client.post("/account/password/", given).headers["Location"] == "/"
    assert client.get("/settings/").status_code == 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"username": "Eve!"}, "lower-case letters"),
        ({"username": "bob"}, "already"),
        ({"email": "no"}, "valid email"),
        ({"password": "short"}, "too short"),
        ({"organization": "globex"}, "not one of the available choices"),
        ({"organization": "provider"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_with_a_person_stands_at_the_field_and_the_rest_is_kept(acme, globex, given, words):
    make_person("bob")
    fields = {"username": "eve", "organization": str(acme.pk), "full_name": "Eve Adams"} | given
    answer = browser("alice").fill("/people/new/", **fields)
    page = answer.content.decode()
    assert answer.status_code in (409, 422)
    name = next(iter(given))
    assert re.search(f'name="{name}"[^>]*aria-invalid="true"', page)
    assert words in page[page.index(f'id="id_{name}_error"') :]
    assert 'value="Eve Adams"' in page
    assert "short" not in re.findall(r'name="password"[^>]*>', page)[0]
    assert not User.objects.filter(full_name="Eve Adams").exists()


def test_while_one_types_the_plan_comes_and_nothing_is_made(acme):
    answer = browser("alice").fill("/people/new/", live=True, username="bob", organization=str(acme.pk))
    assert (answer.status_code, "It can be done." in text(answer)) == (200, True)
    assert "<html" not in answer.content.decode()
    assert not User.objects.filter(username="bob").exists()


def test_no_password_is_hashed_while_one_types(acme):
    """It takes half a second on purpose; its rules are told all the same."""
    alice = browser("alice")
    given = {"username": "eve", "organization": str(acme.pk)}
    with override_settings(PASSWORD_HASHERS=["tests.tenancy.test_people_pages.Refusing"]):
        assert "It can be done." in text(alice.fill("/people/new/", live=True, password=STRONG, **given))
        assert "too short" in text(alice.fill("/people/new/", live=True, password="short", **given))


class Refusing(CheapArgon2):
    def encode(self, password, salt):
        raise AssertionError("a password was hashed")


def test_an_edit_over_somebody_elses_is_a_clash_that_shows_both(acme):
    bob = make_person("bob")
    alice, root = browser("alice"), browser("root")
    seen = alice.get(f"/people/{bob.pk}/edit/")
    assert root.fill(f"/people/{bob.pk}/edit/", full_name="Bob from root").status_code == 302
    clash = alice.fill(f"/people/{bob.pk}/edit/", seen=seen, full_name="Bob from alice")
    assert clash.status_code == 412
    assert "root changed this" in text(clash)
    assert "Bob from root" in text(clash)
    assert 'value="Bob from alice"' in clash.content.decode()
    again = alice.fill(f"/people/{bob.pk}/edit/", seen=_as_seen(clash), full_name="Bob from alice")
    assert again.status_code == 302
    bob.refresh_from_db()
    assert bob.full_name == "Bob from alice"


def _as_seen(clash):
    clash.status_code = 200
    return clash


def test_disabled_is_out_at_once_and_enabled_again(acme):
    bob = make_person("bob")
    his, alice = browser(bob), browser("alice")
    assert "All sessions end" in text(alice.get(f"/people/{bob.pk}/disable/"))
    assert alice.fill(f"/people/{bob.pk}/disable/").status_code == 302
    assert his.get("/vms/").headers["Location"].startswith("/sign-in/")
    assert "Disabled" in text(alice.get(f"/people/{bob.pk}/"))
    assert alice.fill(f"/people/{bob.pk}/enable/").status_code == 302
    assert signs_in("bob", PASSWORD)[1].status_code == 302


def test_the_last_admin_and_ones_own_account_stay_and_it_is_said_why():
    alice = make_person("alice")
    own = browser(alice).fill(f"/people/{alice.pk}/disable/")
    assert (own.status_code, "your own account" in text(own)) == (409, True)
    last = browser("root").fill(f"/people/{alice.pk}/disable/")
    assert (last.status_code, "last organization admin of acme" in text(last)) == (409, True)
    alice.refresh_from_db()
    assert alice.is_active


def test_a_reset_password_is_shown_once_and_the_old_one_is_worth_nothing():
    bob = make_person("bob")
    session = session_of(bob)
    answer = browser("alice").fill(f"/people/{bob.pk}/password/")
    assert Session.objects.get(pk=session.pk).revoked_at is not None
    assert signs_in("bob", PASSWORD)[1].status_code == 422
    assert signs_in("bob", shown_password(answer))[1].status_code == 302


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"current_password": "wrong"}, "not your current password"),
        ({"again": "another-long-passphrase"}, "another one than above"),
        ({"new_password": "short", "again": "short"}, "too short"),
    ],
)
def test_ones_own_password_is_changed_with_the_current_one_only(given, words):
    bob = browser("bob")
    good = {"current_password": PASSWORD, "new_password": STRONG, "again": STRONG}
    answer = bob.fill("/account/password/", **good | given)
    assert (answer.status_code, words in text(answer)) == (422, True)
    assert bob.fill("/account/password/", **good).status_code == 302
    assert signs_in("bob", STRONG)[1].status_code == 302


def test_guessing_the_current_password_ends(acme):
    bob = browser("bob")
    wrong = {"current_password": "wrong", "new_password": STRONG, "again": STRONG}
    answers = [bob.fill("/account/password/", **wrong).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


@pytest.mark.parametrize("page", ["", "edit/", "disable/", "enable/", "password/", "roles/"])
def test_people_elsewhere_are_not_there(page):
    charlie = make_person("charlie")
    alice = browser("alice")
    assert alice.get(f"/people/{charlie.pk}/{page}").status_code == 404
    if page:
        assert alice.post(f"/people/{charlie.pk}/{page}", {"full_name": "x", "password": STRONG}).status_code == 404
    for name in ("vera", "bob", "nobody"):
        assert browser(name).get(f"/people/{charlie.pk}/{page}").status_code == 403


def test_who_has_more_rights_is_left_alone(acme):
    make_person("alice")
    founder = make_user("founder", home=acme)
    RoleBinding.objects.create(user=founder, role="system_admin")
    alice = browser("alice")
    for verb in ("edit", "disable", "password"):
        assert alice.post(f"/people/{founder.pk}/{verb}/", {"full_name": "x", "password": STRONG}).status_code == 403
    founder.refresh_from_db()
    assert (founder.full_name, founder.is_active, founder.check_password(PASSWORD)) == ("", True, True)


def test_ones_own_password_is_changed_where_the_current_one_is_asked_for():
    alice, page = make_person("alice"), browser("alice")
    shown = page.get(f"/people/{alice.pk}/").content.decode()
    assert f'href="/people/{alice.pk}/password/"' not in shown
    assert 'href="/account/password/"' in shown
    for answer in (page.get(f"/people/{alice.pk}/password/"), page.post(f"/people/{alice.pk}/password/", {})):
        assert answer.headers["Location"] == "/account/password/"
    told = text(page.get("/account/password/"))
    assert "change it with the current one" in told
    assert User.objects.get(pk=alice.pk).check_password(PASSWORD)
    menu = page.get(f"/people/{alice.pk}/menu/").content.decode()
    assert "It is your own: change it with the current one, in Settings." in menu
