"""Accounts by hand through the API: passwords made up and told once, changed by their owners, accounts switched off."""

import pytest

from core.models import AnsweredRequest, AuditEntry
from tenancy.models import Session, User
from tests.cast import PASSWORD, make_person, session_of

pytestmark = pytest.mark.django_db
STRONG = "a-very-long-passphrase"


def sign_in(api, name, password):
    return api(None).post("auth/login", {"username": name, "password": password})


def bearer(answer):
    return {"Authorization": f"Bearer {answer.json()['access']}"}


def problem(answer, status, field=None, rule=None):
    assert answer.status_code == status, answer.content
    body = answer.json()
    if field:
        assert (body["errors"][0]["field"], body["errors"][0]["rule"]) == (field, rule)
    return body


def test_a_made_up_password_is_told_once_and_good_for_another_one_only(api, acme):
    make_person("alice")
    made = api("alice").post("users", {"username": "eve", "organization": str(acme.pk)}, Idempotency_Key="k-1")
    assert made.status_code == 201
    assert made.headers["Cache-Control"] == "no-store"
    password = made.json()["generated_password"]
    assert made.json()["must_change_password"] is True
    api("alice").post("role-bindings", {"user": made.json()["id"], "role": "user", "organization": str(acme.pk)})

    again = api("alice").post("users", {"username": "eve", "organization": str(acme.pk)}, Idempotency_Key="k-1")
    assert (again.status_code, again.json()["generated_password"]) == (201, None)
    assert password.encode() not in bytes(AnsweredRequest.objects.get().body)
    assert password not in str(list(AuditEntry.objects.values()))

    signed_in = sign_in(api, "eve", password)
    assert signed_in.json()["user"] | {"rights": [], "must_change_password": True} == signed_in.json()["user"]
    eve = bearer(signed_in)
    problem(api(None).get("vdcs", **eve), 403)
    assert (
        api(None).post("me/password", {"current_password": password, "new_password": STRONG}, **eve).status_code == 204
    )
    assert api(None).get("vdcs", **eve).status_code == 200  # the session in which it was changed goes on
    problem(sign_in(api, "eve", password), 401)
    assert sign_in(api, "eve", STRONG).json()["user"]["must_change_password"] is False


def test_a_given_password_is_good_at_once_unless_it_is_said_otherwise(api, acme):
    body = {"password": STRONG, "organization": str(acme.pk)}
    made = api("alice").post("users", body | {"username": "eve"}).json()
    assert (made["generated_password"], made["must_change_password"]) == (None, False)
    made = api("alice").post("users", body | {"username": "kim", "must_change_password": True}).json()
    assert made["must_change_password"] is True


def test_a_trial_tells_no_password(api, acme):
    plan = api("alice").post("users?dry_run=true", {"username": "eve", "organization": str(acme.pk)})
    assert plan.json()["row"]["generated_password"] is None
    assert not User.objects.filter(username="eve").exists()


def test_a_reset_ends_the_persons_sessions_and_nobody_elses(api, acme):
    bob = make_person("bob")
    theirs, mine = session_of(bob), session_of(make_person("alice"))
    answer = api("alice").post(f"users/{bob.pk}/reset-password", {}, If_Match='"1"')
    assert answer.status_code == 200
    assert (answer.headers["ETag"], answer.json()["must_change_password"]) == ('"2"', True)
    assert Session.objects.get(pk=theirs.pk).revoked_at is not None
    assert Session.objects.get(pk=mine.pk).revoked_at is None
    assert sign_in(api, "bob", answer.json()["generated_password"]).status_code == 200
    problem(sign_in(api, "bob", PASSWORD), 401)
    problem(api("alice").post(f"users/{bob.pk}/reset-password", {}, If_Match='"1"'), 412)
    problem(
        api("alice").post(f"users/{bob.pk}/reset-password", {"password": "short"}),
        422,
        "password",
        "password_too_short",
    )


def test_verbs_stop_at_who_is_above_or_elsewhere(api, acme):
    root, charlie = make_person("root"), make_person("charlie")
    admin = User.objects.create(username="founder", organization=acme)  # of acme, and the provider's as well
    admin.bindings.create(role="system_admin")
    for verb in ("reset-password", "disable", "enable"):
        problem(api("alice").post(f"users/{root.pk}/{verb}", {}), 404)
        problem(api("alice").post(f"users/{charlie.pk}/{verb}", {}), 404)
        problem(api("alice").post(f"users/{admin.pk}/{verb}", {}), 403)
    assert not User.objects.filter(is_active=False).exists()


def test_disabled_means_out_at_once_and_enabled_means_back_with_the_same_roles(api):
    bob = make_person("bob")
    signed_in = api("bob")
    off = api("alice").post(f"users/{bob.pk}/disable")
    assert (off.status_code, off.json()["enabled"]) == (200, False)
    assert off.json()["allowed_actions"]["disable"] == "The account is disabled already."
    assert off.json()["allowed_actions"]["enable"] is None
    problem(signed_in.get("vdcs"), 401)
    assert api("alice").post(f"users/{bob.pk}/enable").json()["enabled"] is True
    assert sign_in(api, "bob", PASSWORD).json()["user"]["grants"]


def test_ones_own_account_and_the_last_admin_stay(api):
    alice, root = make_person("alice"), make_person("root")
    assert "own account" in problem(api("alice").post(f"users/{alice.pk}/disable"), 409)["detail"]
    assert "last organization admin of acme" in problem(api("root").post(f"users/{alice.pk}/disable"), 409)["detail"]
    problem(api("root").patch(f"users/{root.pk}", {"enabled": False}), 409)


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"current_password": "wrong"}, "current_password", "wrong"),
        ({"new_password": "short"}, "new_password", "password_too_short"),
        ({"new_password": PASSWORD}, "new_password", "same"),
    ],
)
def test_refuses_a_change_of_ones_password_by_field(api, change, field, rule):
    body = {"current_password": PASSWORD, "new_password": STRONG} | change
    problem(api("bob").post("me/password", body), 422, field, rule)
    assert sign_in(api, "bob", PASSWORD).status_code == 200


@pytest.mark.parametrize("way", ["", "?dry_run=true", "key"])
def test_guessing_ones_current_password_is_counted_by_whichever_way(api, way):
    """Who found an open browser tries passwords: also under a key, and as a trial, which roll back what they did."""
    bob = api("bob")
    body = {"current_password": "wrong", "new_password": STRONG}
    headers = {"Idempotency_Key": "k"} if way == "key" else {}
    answers = [bob.post(f"me/password{'' if way == 'key' else way}", body, **headers).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_a_change_of_ones_password_under_a_key_is_told_again(api):
    """The answer was lost: the same request is repeated, and the current password in it is the current one no more."""
    bob, body = api("bob"), {"current_password": PASSWORD, "new_password": STRONG}
    first = bob.post("me/password", body, Idempotency_Key="k-1")
    again = bob.post("me/password", body, Idempotency_Key="k-1")
    assert (first.status_code, again.status_code, again.content) == (204, 204, b"")
    assert again.headers["Idempotent-Replayed"] == "true"
    assert AuditEntry.objects.filter(action="user.set_password").count() == 1
    problem(bob.post("me/password", body), 422, "current_password", "wrong")  # without the key it is another request


def test_a_key_is_no_way_to_guess_a_password_uncounted(api):
    bob = api("bob")
    bob.post("me/password", {"current_password": PASSWORD, "new_password": STRONG}, Idempotency_Key="k-1")
    body = {"current_password": PASSWORD, "new_password": "a-guess-of-the-new-one"}
    answers = [bob.post("me/password", body, Idempotency_Key="k-1").status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_an_admin_sets_no_password_of_his_own_without_the_current_one(api):
    """Neither by the verb nor by an edit, for a single field of it, nor as a trial; the refusal names the way."""
    alice = make_person("alice")
    mine = api("alice")
    for answer in (
        mine.post(f"users/{alice.pk}/reset-password", {"password": STRONG}),
        mine.post(f"users/{alice.pk}/reset-password", {}),
        mine.post(f"users/{alice.pk}/reset-password?dry_run=true", {}),
        mine.patch(f"users/{alice.pk}", {"password": STRONG, "full_name": "Alice"}),
    ):
        assert "POST /api/v1/me/password" in problem(answer, 409)["detail"]
    row = mine.get(f"users/{alice.pk}").json()
    assert row["full_name"] == ""
    assert row["allowed_actions"]["reset_password"] == "It is your own: change it with the current one, in Settings."
    assert sign_in(api, "alice", PASSWORD).status_code == 200
    assert mine.post("me/password", {"current_password": PASSWORD, "new_password": STRONG}).status_code == 204
