"""What is secret is encrypted in the database, and its keys can be changed while everything runs."""

import base64
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from clusters import secrets as credentials
from clusters.models import Cluster
from core import key_checks, resealing, sealed
from core.mail.outbox import PURPOSE
from core.models import AuditEntry, Mail
from ovim_site.environment import SettingError, read
from tenancy import keyring
from tenancy.models import SecondFactor, SigningKey
from tenancy.oidc import library
from tenancy.oidc.rows import Identity, IdentityProvider, ProviderSession
from tenancy.services import arrivals, codes
from tests.cast import make_cluster, make_person

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = b"o" * 32, b"n" * 32
# Columns of bytes that are not encrypted, and why not.
PLAIN = {
    "tenancy.organizationlogo.data": "a picture that everybody may see",
    "core.answeredrequest.body": "an answer as it was given, for a day; one that told a secret is kept without it",
}


def base64_of(*keys: bytes) -> str:
    return ",".join(base64.b64encode(key).decode() for key in keys)


def scene() -> None:
    cluster = make_cluster()
    cluster.credential = credentials.encrypt("cluster-token")
    cluster.save()
    SecondFactor.objects.create(user=make_person("bob"), secret=sealed.seal("BOBSECRET", codes.PURPOSE))
    later = timezone.now() + timedelta(hours=1)
    Mail.objects.create(
        kind="k", recipient="a@b.example", subject="s", body=sealed.seal("a link", PURPOSE), good_until=later
    )
    provider = IdentityProvider.objects.create(
        name="sso", issuer="https://sso.example.org", client_secret=sealed.seal("client", library.PURPOSE)
    )
    identity = Identity.objects.create(provider=provider, issuer=provider.issuer, subject="s", user=make_person("bob"))
    ProviderSession.objects.create(identity=identity, id_token=sealed.seal("told", arrivals.PURPOSE))
    SigningKey.objects.create(kid="k", private=sealed.seal("pem", keyring.PURPOSE), public="p")


def rotate(capsys: pytest.CaptureFixture[str]) -> str:
    call_command("secrets", "rotate")
    return capsys.readouterr().out


def test_every_column_of_bytes_is_sealed_or_has_a_reason_not_to_be():
    found = {
        f"{model._meta.label_lower}.{field.name}"
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, models.BinaryField) and not isinstance(field, sealed.SealedField)
    }
    assert found == set(PLAIN)


def test_rotating_reaches_every_sealed_column_and_what_is_in_them_still_opens(settings, capsys):
    settings.OVIM_CREDENTIAL_KEYS = (OLD,)
    scene()
    settings.OVIM_CREDENTIAL_KEYS = (NEW, OLD)
    told = rotate(capsys)
    for column in resealing.columns():
        assert f"{column.name}: 0 under the first key already, 1 put under the first key." in told, told
    assert "the others can be taken out" in told
    settings.OVIM_CREDENTIAL_KEYS = (NEW,)
    assert credentials.decrypt(bytes(Cluster.objects.get().credential)) == "cluster-token"
    assert codes.secret_of(SecondFactor.objects.get()) == "BOBSECRET"
    assert sealed.unseal(bytes(SigningKey.objects.get().private), keyring.PURPOSE, what="It") == "pem"
    (provider,) = IdentityProvider.objects.all()
    assert sealed.unseal(bytes(provider.client_secret), library.PURPOSE, what="It") == "client"
    assert sealed.unseal(bytes(ProviderSession.objects.get().id_token), arrivals.PURPOSE, what="It") == "told"
    assert sealed.unseal(bytes(Mail.objects.get().body), PURPOSE, what="It") == "a link"
    entry = AuditEntry.objects.get(action="secret.rotate")
    assert entry.actor_name == "manage.py secrets"
    assert entry.after is not None
    assert len(entry.after["rows"]) == len(resealing.columns())


def test_rotating_twice_writes_nothing_the_second_time(settings, capsys):
    settings.OVIM_CREDENTIAL_KEYS = (OLD,)
    scene()
    settings.OVIM_CREDENTIAL_KEYS = (NEW, OLD)
    rotate(capsys)
    before = bytes(Cluster.objects.get().credential)
    told = rotate(capsys)
    assert "tenancy.secondfactor.secret: 1 under the first key already, 0 put under" in told
    assert bytes(Cluster.objects.get().credential) == before
    assert AuditEntry.objects.filter(action="secret.rotate").count() == 1


def test_one_that_was_stopped_half_way_is_finished_by_the_next(settings, capsys, monkeypatch):
    settings.OVIM_CREDENTIAL_KEYS = (OLD,)
    scene()
    for number in range(5):
        make_cluster(f"c{number}", default=False)
    Cluster.objects.update(credential=credentials.encrypt("cluster-token"))
    settings.OVIM_CREDENTIAL_KEYS = (NEW, OLD)
    monkeypatch.setattr(resealing, "BATCH", 2)
    seal = sealed.seal
    done: list[str] = []

    def stopped(text, purpose):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(text)
        return seal(text, purpose)

    monkeypatch.setattr(sealed, "seal", stopped)
    with pytest.raises(KeyboardInterrupt):
        resealing.reseal()
    monkeypatch.setattr(sealed, "seal", seal)
    told = rotate(capsys)
    assert "clusters.cluster.credential: 3 under the first key already, 3 put under the first key." in told
    assert all(sealed.is_fresh(bytes(row.credential)) for row in Cluster.objects.all())


def test_what_was_sealed_before_there_were_several_keys_opens_and_is_rotated(settings, capsys):
    settings.OVIM_CREDENTIAL_KEYS = (OLD,)
    nonce = os.urandom(12)
    make_cluster()
    Cluster.objects.update(credential=nonce + AESGCM(OLD).encrypt(nonce, b"cluster-token", b"ovim"))
    assert credentials.decrypt(bytes(Cluster.objects.get().credential)) == "cluster-token"
    assert "clusters.cluster.credential: 0 under the first key already, 1 put" in rotate(capsys)
    assert credentials.decrypt(bytes(Cluster.objects.get().credential)) == "cluster-token"


def test_what_was_sealed_as_one_thing_opens_as_no_other():
    assert sealed.opened(sealed.seal("x", codes.PURPOSE), keyring.PURPOSE) is None


def test_a_key_taken_out_too_soon_is_told_at_the_next_migration_and_by_the_command(settings, capsys):
    settings.OVIM_CREDENTIAL_KEYS = (OLD,)
    scene()
    settings.OVIM_CREDENTIAL_KEYS = (NEW,)
    errors = key_checks.keys_open_what_is_sealed(databases=["default"])
    assert {error.id for error in errors} == {"ovim.E003"}
    assert any("1 rows of clusters.cluster.credential can't be decrypted" in error.msg for error in errors)
    before = bytes(Cluster.objects.get().credential)
    with pytest.raises(CommandError, match="lacks their key"):
        call_command("secrets", "rotate")
    assert "1 under no key that is set" in capsys.readouterr().out
    assert bytes(Cluster.objects.get().credential) == before
    settings.OVIM_CREDENTIAL_KEYS = (NEW, OLD)
    assert key_checks.keys_open_what_is_sealed(databases=["default"]) == []


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", "OVIM_CREDENTIAL_KEY is not set"),
        (",", "OVIM_CREDENTIAL_KEY is not set"),
        ("no key", "OVIM_CREDENTIAL_KEY must be base64"),
        (base64_of(NEW, b"short"), "Key 2 in OVIM_CREDENTIAL_KEY must be 32 bytes in base64, it is 5"),
        (base64_of(NEW, NEW), "Key 2 in OVIM_CREDENTIAL_KEY is there twice"),
    ],
)
def test_a_wrong_key_stops_the_start_with_a_sentence(value, sentence):
    with pytest.raises(SettingError, match=sentence):
        read({**os.environ, "OVIM_CREDENTIAL_KEY": value})


def test_keys_as_fernet_makes_them_are_taken():
    made = Fernet.generate_key().decode()
    found = read({**os.environ, "OVIM_CREDENTIAL_KEY": f"{made},{base64_of(OLD)}"}).credential_key
    assert found == (base64.urlsafe_b64decode(made), OLD)


def test_the_database_has_no_secret_in_the_clear(settings):
    scene()
    kept = [bytes(value) for column in resealing.columns() for (_pk, value) in resealing._rows(column, "default")]
    assert len(kept) == len(resealing.columns())
    for clear in (b"cluster-token", b"BOBSECRET", b"pem"):
        assert not any(clear in value for value in kept)


def test_the_processes_of_an_installation_do_not_start_without_a_key():
    env = {name: value for name, value in os.environ.items() if name != "OVIM_CREDENTIAL_KEY"}
    ended = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr.strip()) == (78, "ovim: OVIM_CREDENTIAL_KEY is not set.")
