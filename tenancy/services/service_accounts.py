"""Service accounts: users that are no persons. They hold roles, own things and appear in the audit log like anybody."""

from django.core.exceptions import ValidationError
from django.db import transaction

from core import audit, rows
from core.actor import Actor
from core.errors import Invalid
from core.names import dns_label
from tenancy.models import Organization, User
from tenancy.services.users import require_people_of

PROVIDER = "provider"  # stands for no organization in the name


@transaction.atomic
def create_service_account(
    *, actor: Actor, name: str, organization: Organization | None = None, full_name: str = ""
) -> User:
    """Without any role and any token. Its user name is `<name>@<organization>`: two organizations may use one name."""
    require_people_of(actor, organization)
    try:
        dns_label(name)
    except ValidationError as error:
        raise Invalid.field("name", str(error.code), str(error.message)) from None
    username = f"{name}@{organization.name if organization else PROVIDER}"
    account = User(username=username, organization=organization, full_name=full_name, is_service=True)
    account.set_unusable_password()
    rows.save(account, new=True)
    after = {"username": username, "full_name": full_name}
    audit.record(actor, "service_account.create", account, organization_id=account.organization_id, after=after)
    return account
