"""A provider at the edge, and a browser that signs in by it."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from tenancy.models import Organization
from tenancy.oidc import discovery, door
from tenancy.oidc.rows import IdentityProvider
from tenancy.services import identity_providers
from tests.cast import actor_of, make_person
from tests.portal import Browser
from tests.tenancy.oidc.fake import Op


@pytest.fixture(scope="session")
def _op() -> Iterator[Op]:
    op = Op()
    yield op
    op.close()


@pytest.fixture
def op(_op: Op, monkeypatch: pytest.MonkeyPatch) -> Iterator[Op]:
    """As good as new. A machine that does ten things at once is no slow provider: that has a test of its own."""
    monkeypatch.setattr(door, "TOTAL_SECONDS", 60.0)
    monkeypatch.setattr(door, "STEP_SECONDS", 50.0)
    keys, server, issuer = {"k1": _op.keys["k1"]}, _op.server, _op.issuer
    fresh = Op.__new__(Op)
    fresh.__dict__ |= {
        "keys": keys, "server": server, "issuer": issuer, "kid": "k1", "alg": "RS256", "claims": {"sub": "s-1"},
        "more": {"sub": "s-1"}, "twist": lambda claims: claims, "answers": {}, "metadata": {}, "asked": [], "forms": [],
        "headers": [], "delay": 0.0, "nonce": "", "challenge": "",
    }  # fmt: skip
    _op.__dict__ |= fresh.__dict__
    discovery.forget()
    yield _op
    discovery.forget()


@pytest.fixture
def make_provider(db: None, op: Op) -> Any:
    """`make_provider(acme, rules=[…])`: a provider of acme; None: for everybody."""

    def make(organization: Organization | None = None, **fields: Any) -> IdentityProvider:
        return identity_providers.create_provider(
            actor=actor_of(make_person("root")),
            organization=organization,
            **{
                "name": "sso",
                "display_name": "Example SSO",
                "issuer": op.issuer,
                "client_id": "ovim",
                "client_secret": "s3cret &+/",
                **fields,
            },
        )

    return make


def begin(op: Op, provider: IdentityProvider, client: Client | None = None, query: str = "") -> tuple[Client, str]:
    """Off to the provider: the browser, and the state it was sent with."""
    client = client or Browser(raise_request_exception=False)
    answer = client.get(f"/oidc/{provider.slug}/start/{query}")
    assert answer.status_code == 302, answer.content
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["Location"]).query).items()}
    op.nonce, op.challenge = asked["nonce"], asked["code_challenge"]
    return client, asked["state"]


def back(client: Client, provider: IdentityProvider, state: str, query: str = "code=c-1") -> Any:
    return client.get(f"/oidc/{provider.slug}/callback/?{query}&state={state}")


def sign_in(op: Op, provider: IdentityProvider, client: Client | None = None, query: str = "") -> tuple[Client, Any]:
    client, state = begin(op, provider, client, query)
    return client, back(client, provider, state)
