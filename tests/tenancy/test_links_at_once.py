"""The same link by several at the same moment: one of them is served, the others are told so."""

import threading

from django.db import connection

from core import sealed
from core.mail import outbox
from core.models import Mail
from tenancy.models import RoleBinding, User
from tenancy.tasks import send_resets
from tests.cast import Api, make_person, session_of

STRONG = "a-very-long-passphrase"


def at_once(number, act):
    """What each of so many threads came back with."""
    found, start = [], threading.Barrier(number)

    def work(index):
        try:
            start.wait()
            found.append(act(index))
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(index,)) for index in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(found)


def token_of(mail):
    return sealed.unseal(bytes(mail.body), outbox.PURPOSE, what="it").partition("token=")[2].split()[0]


def test_two_uses_of_a_reset_link_set_one_password(live_db, settings, tmp_path):
    settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM = tmp_path.as_uri(), "ovim@example.org"
    User.objects.filter(pk=make_person("alice").pk).update(email="alice@example.org")
    Api().post("auth/password-reset", {"account": "alice"})
    send_resets()
    token = token_of(Mail.objects.get())

    def status(index):
        body = {"token": token, "new_password": f"{STRONG}{index}"}
        return Api().post("auth/password-reset/confirm", body).status_code

    assert at_once(4, status) == [204, 410, 410, 410]


def test_one_invitation_accepted_by_several_at_once_makes_one_account(live_db, settings, tmp_path):
    settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM = tmp_path.as_uri(), "ovim@example.org"
    alice = make_person("alice")
    body = {"organization": str(alice.organization_id), "email": "eve@example.org", "role": "user"}
    assert Api(session_of(alice)).post("invitations", body).status_code == 201
    token = token_of(Mail.objects.get())

    def status(index):
        given = {"token": token, "username": f"eve{index}", "password": STRONG}
        return Api().post("auth/invitation/accept", given).status_code

    assert at_once(4, status) == [201, 410, 410, 410]
    assert User.objects.filter(email="eve@example.org").count() == 1
    assert RoleBinding.objects.filter(user__username__startswith="eve").count() == 1


def test_an_own_role_that_is_deleted_while_its_link_is_accepted_is_given_or_gone(live_db, settings, tmp_path):
    """Never half: neither an account without its role, nor a fault because both wait for each other."""
    settings.OVIM_MAIL_URL, settings.OVIM_MAIL_FROM = tmp_path.as_uri(), "ovim@example.org"
    alice = make_person("alice")
    client, home, ends = Api(session_of(alice)), str(alice.organization_id), set()
    for number in range(6):
        role = client.post("roles", {"name": f"role-{number}", "organization": home, "rights": ["vm.view"]}).json()[
            "id"
        ]
        body = {"organization": home, "email": f"eve{number}@example.org", "role": f"role-{number}"}
        assert client.post("invitations", body).status_code == 201
        token = token_of(Mail.objects.order_by("-pk")[0])

        def status(index, number=number, role=role, token=token):
            if index:
                return client.delete(f"roles/{role}").status_code
            given = {"token": token, "username": f"eve{number}", "password": STRONG}
            return Api().post("auth/invitation/accept", given).status_code

        made = tuple(at_once(2, status))
        assert made in {(201, 409), (204, 410)}
        held = RoleBinding.objects.filter(user__username=f"eve{number}").count()
        assert (User.objects.filter(username=f"eve{number}").count(), held) == ((1, 1) if 201 in made else (0, 0))
        ends.add(made)
    assert ends
