"""The outbox: real SMTP over sockets, TLS that is checked, pauses, one sender a mail, and texts that don't stay."""

import os
import signal
import ssl
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from clusters.sandbox.tls import certificates
from core import tasks
from core.errors import Unavailable
from core.mail import outbox
from core.models import Mail
from ovim_site.environment import SettingError, read
from tenancy.models import RoleName, User
from tests.cast import Api, make_user
from tests.engine import processes
from tests.engine.test_watch import eventually
from tests.smtp import SmtpServer, serving

SENDER = "OVIM <ovim@example.org>"


@pytest.fixture(scope="module")
def certified(tmp_path_factory):
    ca, certificate, key = certificates(tmp_path_factory.mktemp("tls"), "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return str(ca), context


def sending(url, ca=""):
    return override_settings(OVIM_MAIL_URL=url, OVIM_MAIL_FROM=SENDER, OVIM_MAIL_CA=ca)


@pytest.fixture
def server(db):
    with serving(SmtpServer()) as running, sending(f"smtp://127.0.0.1:{running.port}"):
        yield running


def a_mail(recipient="eve@example.org", **other):
    given = {"subject": "A subject", "text": "Open https://ovim.test/?token=s3cret\n\nÄ line.\n"} | other
    return outbox.put(kind="test", recipient=recipient, good_until=timezone.now() + timedelta(minutes=30), **given)


def due():
    Mail.objects.update(next_at=timezone.now() - timedelta(seconds=1))


def test_a_mail_is_sent_once_and_its_text_is_gone_then(server):
    mail = a_mail()
    assert b"s3cret" not in bytes(mail.body)
    tasks.post()
    tasks.post()
    (message,) = server.taken
    assert (message["From"], message["To"], message["Subject"]) == (SENDER, "eve@example.org", "A subject")
    assert message["Message-ID"] == f"<{mail.pk}@testserver>"
    assert "Ä line." in message.get_content()
    mail.refresh_from_db()
    assert (mail.sent_at is not None, bytes(mail.body), mail.attempts) == (True, b"", 1)


def test_who_refuses_for_now_is_asked_again_later_and_a_refused_address_is_given_up(server):
    server.answers = {"RCPT": ["451 4.7.1 greylisted", "550 5.1.1 no such user"]}
    mail = a_mail()
    assert outbox.post() == 0
    mail.refresh_from_db()
    assert (mail.sent_at, mail.given_up_at, mail.error) == (None, None, "451 4.7.1 greylisted")
    assert 1 < (mail.next_at - timezone.now()).total_seconds() < 3
    assert bytes(mail.body) != b""
    due()
    outbox.post()
    mail.refresh_from_db()
    assert (mail.given_up_at is not None, mail.error, bytes(mail.body)) == (True, "550 5.1.1 no such user", b"")
    due()
    assert outbox.post() == 0


def test_what_the_server_loses_before_it_has_taken_it_comes_again(server):
    server.answers = {"DATA": ["451 try later"]}
    a_mail()
    assert outbox.post() == 0
    due()
    assert outbox.post() == 1
    assert len(server.taken) == 1


def test_no_server_is_no_end_and_a_mail_that_is_too_old_is_not_sent(db):
    with sending("smtp://127.0.0.1:1"):
        mail = a_mail()
        outbox.post()
        mail.refresh_from_db()
        assert "ConnectionRefusedError" in mail.error
        assert mail.given_up_at is None
    with serving(SmtpServer()) as server, sending(f"smtp://127.0.0.1:{server.port}"):
        Mail.objects.update(good_until=timezone.now())
        due()
        outbox.post()
        assert server.taken == []
    mail.refresh_from_db()
    assert (mail.error, bytes(mail.body)) == (outbox.LATE, b"")


@pytest.mark.parametrize("scheme", ["smtp+tls", "smtps"])
def test_tls_and_a_password(db, certified, scheme):
    ca, context = certified
    with serving(SmtpServer(context, implicit=scheme == "smtps")) as server:
        server.login = ("ovim", "p@ss word")
        with sending(f"{scheme}://ovim:p%40ss%20word@127.0.0.1:{server.port}", ca):
            a_mail()
            assert outbox.post() == 1
        assert server.encrypted == [True]
        with sending(f"{scheme}://ovim:wrong@127.0.0.1:{server.port}", ca):
            a_mail()
            assert outbox.post() == 0
        assert Mail.objects.get(sent_at=None).given_up_at is None, "the operator can mend it"
        with sending(
            f"{scheme}://ovim:p%40ss%20word@127.0.0.1:{server.port}"
        ):  # nobody known has signed its certificate
            due()
            assert outbox.post() == 0
        assert "CERTIFICATE_VERIFY_FAILED" in Mail.objects.get(sent_at=None).error
        assert len(server.taken) == 1


def test_without_starttls_nothing_leaves(db):
    with serving(SmtpServer()) as server, sending(f"smtp+tls://127.0.0.1:{server.port}"):
        a_mail()
        assert outbox.post() == 0
        assert server.taken == []


def test_a_folder_is_written_to_and_that_is_said(db, tmp_path, caplog):
    with sending((tmp_path / "mail").as_uri()):
        mail = a_mail()
        assert outbox.post() == 1
    (file,) = (tmp_path / "mail").iterdir()
    assert file.name == f"{mail.pk}.eml"
    assert file.stat().st_mode & 0o077 == 0
    assert b"s3cret" in file.read_bytes()
    assert "not sent to anybody" in caplog.text


def test_an_installation_without_mail_says_so(db):
    with pytest.raises(Unavailable, match="OVIM_MAIL_URL"):
        a_mail()
    assert outbox.post() == 0


def test_a_mail_withdrawn_in_time_is_not_sent(server):
    outbox.withdraw(a_mail().pk)
    assert outbox.post() == 0
    assert server.taken == []


def test_old_mail_is_forgotten_and_waiting_mail_is_not(server):
    a_mail()
    outbox.post()
    a_mail()
    Mail.objects.update(created_at=timezone.now() - timedelta(days=31))
    tasks.sweep()
    assert Mail.objects.get().sent_at is None


def test_two_senders_at_once_send_each_mail_once(live_db):
    with serving(SmtpServer()) as server, sending(f"smtp://127.0.0.1:{server.port}"):
        server.slow = 0.1
        for number in range(6):
            a_mail(f"p{number}@example.org")

        def work():
            try:
                outbox.post()
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(m["To"] for m in server.taken) == [f"p{number}@example.org" for number in range(6)]


def test_a_sender_that_is_killed_leaves_the_mail_to_the_next(live_db):
    with serving(SmtpServer()) as server, sending(f"smtp://127.0.0.1:{server.port}"):
        server.slow = 30.0
        mail = a_mail()
        connection.close()
        child = os.fork()
        if child == 0:
            outbox.post()
            os._exit(0)
        until = time.monotonic() + 10
        while not Mail.objects.filter(attempts=1).exists() and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        server.slow = 0.0
        assert outbox.post() == 0, "its lease has not ended"
        due()
        assert outbox.post() == 1
        mail.refresh_from_db()
        assert (mail.attempts, bytes(mail.body)) == (2, b"")
        # The first attempt's text may have been taken, too: at least once, and both have the row's Message-ID.
        assert {m["Message-ID"] for m in server.taken} == {f"<{mail.pk}@testserver>"}


def test_a_sender_slower_than_its_lease_notes_nothing_over_the_next(server):
    mail = a_mail()
    claimed = outbox._claim()
    assert claimed is not None
    due()
    assert outbox.post() == 1
    outbox._failed(claimed, "late", permanent=True)
    mail.refresh_from_db()
    assert (mail.given_up_at, mail.error) == (None, "")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"OVIM_MAIL_URL": "http://mail"}, "must begin with smtp://"),
        ({"OVIM_MAIL_URL": "smtp://"}, "names no host"),
        ({"OVIM_MAIL_URL": "smtp://u:p@mail"}, "in the clear"),
        ({"OVIM_MAIL_URL": "file://host/x"}, "whole path"),
        ({"OVIM_MAIL_URL": "smtp://mail", "OVIM_MAIL_FROM": ""}, "OVIM_MAIL_FROM is not set"),
        ({"OVIM_MAIL_URL": "smtp://mail", "OVIM_MAIL_FROM": "nobody"}, "must be an address"),
        ({"OVIM_MAIL_URL": "smtp://mail", "OVIM_MAIL_CA": "/no/such"}, "must be a file"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_says_why(given, words):
    with pytest.raises(SettingError, match=words):
        read(dict(os.environ) | {"OVIM_MAIL_FROM": SENDER} | given)


@pytest.mark.slow
def test_the_mail_is_there_at_once_and_not_only_when_somebody_looks(live_db, settings, tmp_path):
    """Two workers and no beat: what is asked for, and what is put there, tells them."""
    make_user("alice", RoleName.SYSTEM_ADMIN)
    User.objects.update(email="alice@example.org")
    folder = tmp_path / "mail"
    settings.OVIM_MAIL_URL = folder.as_uri()
    environment = {"OVIM_MAIL_URL": folder.as_uri(), "OVIM_MAIL_FROM": "ovim@example.org"}
    with (
        processes.worker(tmp_path / "worker.log", **environment),
        processes.images(tmp_path / "images.log", **environment),
    ):
        for log in ("worker.log", "images.log"):
            eventually(lambda: " ready." in (tmp_path / log).read_text(), 40)  # noqa: B023  # called in this round
        assert Api().post("auth/password-reset", {"account": "alice"}).status_code == 202
        eventually(lambda: Mail.objects.exclude(sent_at=None).exists(), 10)
    assert any("alice@example.org" in mail.read_text() for mail in folder.iterdir())
