"""An organization with people, own roles, groups, invitations, programs and a provider: what those pages are looked at with."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from tenancy.models import Group, Invitation, Organization, Role
from tenancy.oidc.rows import GroupRule, IdentityProvider
from tenancy.services import access_tokens, bindings, groups, invitations, logos, roles, service_accounts
from tests.cast import actor_of, make_person, make_user
from tests.domain import OVIM, a_vdc, an_organization
from tests.tenancy.test_branding import png

LONG = "a-user-name-that-is-longer-than-what-a-column-of-a-table-has-room-for@acme.example"
LOOK = ["organization.view", "vdc.view", "vm.view"]
WIDE = [*LOOK, "catalog.view", "image.use", "vm.create", "vm.edit", "vm.power", "vm.delete", "vm.order", "binding.view"]


def a_house() -> dict[str, Any]:
    acme = an_organization("acme")
    dev = a_vdc("dev", organization=acme)
    a_vdc("a-vdc-whose-name-is-as-long-as-it-may-be-if-it-is-to-be-read", organization=acme)
    alice = actor_of(make_person("alice"))
    made: list[Role] = [
        roles.create_role(actor=OVIM, organization=acme, name=name, display_name=title, rights=rights, own_only=own)
        for name, title, rights, own in (
            ("operator", "Operator of the night shift", WIDE, False),
            ("auditor", "", [*LOOK, "audit.view"], False),
            ("student", "Student", WIDE[:-1], True),
        )
    ]
    ops = groups.create_group(
        actor=OVIM, organization=acme, name="ops", display_name="Operations", external="/cloud/operations/on-call"
    )
    groups.create_group(actor=OVIM, organization=acme, name="empty")
    for name in ("nina", "otto", LONG):
        user = make_user(name, home=acme)
        groups.add_member(actor=OVIM, group=ops, user=user)
        bindings.bind_role(actor=OVIM, user=user, role=made[0], organization=acme, vdc_id=dev.pk)
    soon = timezone.now() + timedelta(days=30)
    bindings.bind_role(actor=OVIM, group=ops, role=made[2], organization=acme, expires_at=soon)
    _invitations(alice, acme, made, dev.pk)
    _programs(alice, acme, dev.pk)
    logos.set_logo(actor=alice, organization=acme, data=png(240, 60))
    provider = _provider(acme, made, dev.pk)
    return {
        "acme": acme,
        "dev": dev,
        "roles": made,
        "group": ops,
        "provider": provider,
        "empty": Group.objects.get(name="empty"),
    }


def _invitations(alice: Any, acme: Organization, made: list[Role], vdc: Any) -> None:
    for email, role, place in (
        ("eve@example.org", made[1], None),
        ("frank.with-a-long-address@department.subsidiary.example.org", made[0], vdc),
        ("gina@example.org", made[2], None),
    ):
        invitations.invite(actor=alice, organization=acme, email=email, role=role, vdc_id=place)
    first, second, third = Invitation.objects.order_by("pk")
    invitations.withdraw(actor=alice, invitation=first)
    Invitation.objects.filter(pk=third.pk).update(expires_at=timezone.now())
    roles.edit_role(actor=OVIM, role=made[0], changes={"rights": WIDE[:-1]})
    Invitation.objects.filter(pk=second.pk).update(sent_at=timezone.now() - timedelta(days=2))


def _programs(alice: Any, acme: Organization, vdc: Any) -> None:
    builds = service_accounts.create_service_account(
        actor=alice,
        name="builds",
        organization=acme,
        full_name="Makes a machine for each build, and takes it away again.",
    )
    service_accounts.create_service_account(actor=alice, name="idle", organization=acme)
    for name, rights in (
        ("runner-1", ["vm.view", "vm.create", "vm.delete", "vm.power", "vdc.view"]),
        ("runner-2", None),
    ):
        access_tokens.create_token(actor=alice, user=builds, name=name, days=30, rights=rights, vdcs=[vdc])


def _provider(acme: Organization, made: list[Role], vdc: Any) -> IdentityProvider:
    provider = IdentityProvider.objects.create(
        organization=acme, name="sso", display_name="Acme single sign-on", issuer="https://login.example.org/realms/acme",
        client_id="ovim-production",
    )  # fmt: skip
    rules: list[dict[str, Any]] = [
        {"value": "/cloud/admins", "role": "org_admin"},
        {"value": "/cloud/operations/", "match": "prefix", "custom": made[0], "custom_name": "operator", "vdc_id": vdc},
        {"value": "*-students", "match": "glob", "claim": "realm_access.roles", "custom_name": "gone"},
    ]
    for position, rule in enumerate(rules):
        GroupRule.objects.create(provider=provider, position=position, organization=acme, **rule)
    return provider
