"""A pytest plugin, loaded before Django's settings: starts the PostgreSQL and the Valkey that this process's tests use.

Each xdist worker has its own pair (under a second, 40 MiB), so that no test sees another's rows or messages.
With OVIM_DATABASE_URL and OVIM_DATABASE_OWNER_URL set, those servers are used, with a database of our own in them.
"""

import atexit
import base64
import os
import secrets
import shutil
import sys
import tempfile
from contextlib import ExitStack

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ovim_site.supervisor.postgres import Postgres
from ovim_site.supervisor.valkey import Valkey


def _jwt_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _start() -> None:
    stack = ExitStack()
    atexit.register(stack.close)
    folder = tempfile.mkdtemp(prefix="ovim-tests-")
    os.chmod(folder, 0o711)  # PostgreSQL runs as nobody when we are root, and has to get in
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    postgres = stack.enter_context(Postgres(f"{folder}/pg", durable=False))
    valkey = stack.enter_context(Valkey(f"{folder}/valkey"))
    os.environ |= {
        "OVIM_DATABASE_URL": postgres.urls.app,
        "OVIM_DATABASE_OWNER_URL": postgres.urls.owner,
        "OVIM_REDIS_URL": valkey.url,
        "OVIM_SECRET_KEY": secrets.token_hex(32),
        "OVIM_JWT_KEY": _jwt_key(),
        "OVIM_CREDENTIAL_KEY": base64.b64encode(os.urandom(32)).decode(),
        "OVIM_PUBLIC_URL": "http://testserver",
        "OVIM_ALLOWED_HOSTS": "testserver,127.0.0.1,localhost",
        "OVIM_IMAGE_HOSTS": "127.0.0.1",
        "OVIM_OIDC_HOSTS": "127.0.0.1",
        "OVIM_LOOPBACK_CLUSTERS": "true",
        "OVIM_RATE_LIMIT_USER": "0",
        "OVIM_RATE_LIMIT_ADDRESS": "0",
    }


if "no:django" not in sys.argv:
    _start()
