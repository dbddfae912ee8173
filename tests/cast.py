"""The cast of every test. Two organizations, acme and globex; nobody belongs to neither.

| who     | role                                    |
|---------|-----------------------------------------|
| root    | system admin                            |
| alice   | organization admin of acme              |
| vera    | VDC admin of acme/dev                   |
| bob     | user in acme/dev                        |
| charlie | organization admin of globex            |
| nobody  | signed in, from no organization, no role |

Plain functions make them; the fixtures are the same by name. `api("alice")` is an HTTP client signed in as alice.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.test import Client
from django.utils import timezone

from clusters.models import Cluster, Placement
from core.actor import Actor
from tenancy.api import tokens
from tenancy.models import Organization, RoleBinding, RoleName, Session, User
from tenancy.selectors import actor_of_session
from vdcs.models import Vdc

PASSWORD = "correct horse battery"
_HASH: dict[str, str] = {}


class CheapArgon2(Argon2PasswordHasher):
    """The same algorithm with next to no work: the real one takes half a second on purpose."""

    time_cost, memory_cost, parallelism = 1, 8, 1


def a_password_hash() -> str:
    return _HASH.setdefault(PASSWORD, make_password(PASSWORD))


def make_cluster(name: str = "local", *, default: bool = True) -> Cluster:
    return Cluster.objects.get_or_create(
        name=name,
        defaults={
            "display_name": name,
            "server": "https://127.0.0.1:1",
            "credential": b"",
            "is_default": default,
        },
    )[0]


def make_organization(name: str) -> Organization:
    return Organization.objects.get_or_create(name=name, defaults={"display_name": name.title()})[0]


def make_placement(organization: Organization) -> Placement:
    """The organization's place on the default cluster, as if it had been made there already."""
    return Placement.objects.get_or_create(
        owner_kind="organization",
        owner_id=organization.pk,
        cluster=make_cluster(),
        defaults={"tenant_id": organization.pk},
    )[0]


def make_vdc(organization: Organization, name: str) -> Vdc:
    defaults: dict[str, Any] = {
        "cluster": make_cluster(),
        "display_name": name.title(),
        "namespace": f"{organization.name}-{name}",
    }
    if hasattr(Vdc, "placement"):
        defaults["placement"] = make_placement(organization)
    return Vdc.objects.get_or_create(organization=organization, name=name, defaults=defaults)[0]


def make_user(
    username: str,
    role: RoleName | None = None,
    *,
    organization: Organization | None = None,
    vdc_id: UUID | None = None,
    home: Organization | None = None,
) -> User:
    user, _made = User.objects.get_or_create(
        username=username, defaults={"password": a_password_hash(), "organization": home or organization}
    )
    if role is not None:
        RoleBinding.objects.get_or_create(user=user, role=role, organization=organization, vdc_id=vdc_id)
    return user


def session_of(user: User) -> Session:
    """Signed in, without the second that a password takes."""
    return Session.objects.create(user=user, expires_at=timezone.now() + timedelta(hours=1))


def actor_of(user: User) -> Actor:
    actor = actor_of_session(session_of(user).pk)
    assert actor is not None, f"{user} can't sign in"
    return actor


@dataclass
class Api:
    """An HTTP client of the API. `json` is the body; the answer has `.status_code`, `.json()` and `.headers`."""

    session: Session | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._client = Client(raise_request_exception=False)
        if self.session is not None:
            self.headers["Authorization"] = f"Bearer {tokens.issue(self.session)['access']}"

    def request(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        address = path if path.startswith("/api/") else f"/api/v1/{path.lstrip('/')}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = {} if json is None else {"data": json, "content_type": "application/json"}
        return getattr(self._client, method)(address, headers=self.headers | named, **body)

    def get(self, path: str, **headers: str) -> Any:
        return self.request("get", path, **headers)

    def post(self, path: str, json: Any = None, **headers: str) -> Any:
        return self.request("post", path, json, **headers)

    def patch(self, path: str, json: Any = None, **headers: str) -> Any:
        return self.request("patch", path, json, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.request("delete", path, **headers)


# name → how that person comes to be
def make_person(name: str) -> User:
    if name == "root":
        return make_user("root", RoleName.SYSTEM_ADMIN)
    if name == "nobody":
        return make_user("nobody")
    if name == "charlie":
        return make_user("charlie", RoleName.ORG_ADMIN, organization=make_organization("globex"))
    acme = make_organization("acme")
    if name == "alice":
        return make_user("alice", RoleName.ORG_ADMIN, organization=acme)
    role = {"vera": RoleName.VDC_ADMIN, "bob": RoleName.USER}[name]
    return make_user(name, role, organization=acme, vdc_id=make_vdc(acme, "dev").pk)


@pytest.fixture
def cluster(db: None) -> Cluster:
    """The default cluster: a row only. Nothing answers at its address."""
    return make_cluster()


@pytest.fixture
def acme(db: None) -> Organization:
    return make_organization("acme")


@pytest.fixture
def globex(db: None) -> Organization:
    return make_organization("globex")


@pytest.fixture
def acme_dev(acme: Organization) -> Vdc:
    return make_vdc(acme, "dev")


@pytest.fixture
def acme_prod(acme: Organization) -> Vdc:
    return make_vdc(acme, "prod")


@pytest.fixture
def globex_main(globex: Organization) -> Vdc:
    return make_vdc(globex, "main")


@pytest.fixture
def root(db: None) -> Actor:
    return actor_of(make_person("root"))


@pytest.fixture
def alice(db: None) -> Actor:
    return actor_of(make_person("alice"))


@pytest.fixture
def vera(db: None) -> Actor:
    return actor_of(make_person("vera"))


@pytest.fixture
def bob(db: None) -> Actor:
    return actor_of(make_person("bob"))


@pytest.fixture
def charlie(db: None) -> Actor:
    return actor_of(make_person("charlie"))


@pytest.fixture
def nobody(db: None) -> Actor:
    return actor_of(make_person("nobody"))


@pytest.fixture
def api(db: None) -> Callable[..., Api]:
    """`api("alice")`: signed in as she; `api(None)`: not signed in."""

    def client(name: str | None) -> Api:
        return Api(session_of(make_person(name)) if name else None)

    return client
