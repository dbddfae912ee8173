"""Changing the keys that sign access tokens. Old ones go on verifying until the last token they signed has ended."""

from datetime import timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection, transaction
from django.utils import timezone

from core import access, audit, sealed
from core.actor import Actor
from core.errors import Conflict, NotFound
from core.rights import Right
from tenancy import keyring
from tenancy.models import SigningKey
from tenancy.services.sessions import API_LIFETIME

# The longest that anything signed lives (a refresh token: its session), and a process may sign with the old key until
# it reads the keys again.
OVERLAP = API_LIFETIME + timedelta(seconds=2 * keyring.REREAD_SECONDS)
_LOCK = 0x0_A0_71_6  # any constant: an advisory lock's name


def _lock() -> None:
    """Two rotations at the same moment would both leave a key without an end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


@transaction.atomic
def rotate(*, actor: Actor) -> SigningKey:
    """A new key signs from now on. What the earlier ones signed stays good for OVERLAP."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    _lock()
    _keep_given()
    SigningKey.objects.filter(ends_at=None).update(ends_at=timezone.now() + OVERLAP)
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key()
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    key = SigningKey.objects.create(
        kid=keyring.kid_of(public),
        private=sealed.seal(pem, keyring.PURPOSE),
        public=keyring.pem_of(public),
        created_at=timezone.now(),
    )
    _told(actor, "signing_key.rotate", key)
    return key


@transaction.atomic
def retire(*, actor: Actor, kid: str) -> SigningKey:
    """Nothing that this key signed is good any more: whoever has only such tokens signs in again."""
    access.require_system(actor, Right.ENGINE_OPERATE)
    _lock()
    _keep_given()
    key = SigningKey.objects.select_for_update().filter(kid=kid).first()
    if key is None:
        raise NotFound("There is no such signing key.")
    if key.ends_at is None:
        raise Conflict("This key signs: make another one first (rotate).")
    if key.ends_at <= timezone.now():
        raise Conflict("This key has ended already.")
    key.ends_at = timezone.now()
    key.save(update_fields=["ends_at"])
    _told(actor, "signing_key.retire", key)
    return key


def _keep_given() -> None:
    """The key of OVIM_JWT_KEY as a row, so that it has an end, too. Another one given later counts from when it is met."""
    kid, private = keyring.of_settings()
    if not SigningKey.objects.filter(kid=kid).exists():
        first = not SigningKey.objects.exists()
        SigningKey.objects.create(
            kid=kid,
            public=keyring.pem_of(private.public_key()),
            created_at=timezone.now(),
            ends_at=None if first else timezone.now() + OVERLAP,
        )


def _told(actor: Actor, action: str, key: SigningKey) -> None:
    audit.record(actor, action, key)
    transaction.on_commit(keyring.forget)
