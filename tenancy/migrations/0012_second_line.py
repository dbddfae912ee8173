"""The second line (ADR 23): people are seen where they are from and where they have a role; what is theirs, with them."""

from django.db import migrations

from core import policies
from core.policies import ME

# Each of these tables' own policies hold in there, too: membership asks group, group asks binding, and none asks back.
BOUND_HERE = """EXISTS (SELECT FROM tenancy_rolebinding b WHERE b.user_id = tenancy_user.id)
  OR EXISTS (SELECT FROM tenancy_membership m WHERE m.user_id = tenancy_user.id)"""
GROUP_BOUND_HERE = "EXISTS (SELECT FROM tenancy_rolebinding b WHERE b.group_id = tenancy_group.id)"
GROUP_SEEN = "EXISTS (SELECT FROM tenancy_group g WHERE g.id = group_id)"
GROUP_MINE = f"EXISTS (SELECT FROM tenancy_group g WHERE g.id = group_id AND {policies.by('g.organization_id')})"
RULE_MINE = f"""{policies.by("organization_id")} AND EXISTS (SELECT FROM tenancy_identityprovider p
  WHERE p.id = provider_id AND {policies.by("p.organization_id")})"""


def of_person(table: str) -> str:
    return f"user_id = {ME} OR EXISTS (SELECT FROM tenancy_user u WHERE u.id = {table}.user_id)"


class Migration(migrations.Migration):
    dependencies = [("tenancy", "0011_identity_providers"), ("core", "0008_second_line")]
    operations = [
        policies.secure(
            {
                "tenancy_organization": policies.by("id"),
                "tenancy_rolebinding": (
                    f"{policies.by('organization_id')} OR user_id = {ME}",
                    policies.by("organization_id"),
                ),
                "tenancy_user": (
                    f"{policies.by('organization_id')} OR id = {ME} OR {BOUND_HERE}",
                    f"{policies.by('organization_id')} OR (id = {ME} AND organization_id IS NULL)",
                ),
                "tenancy_organizationlogo": policies.by("organization_id"),
                "tenancy_role": policies.by("organization_id"),
                "tenancy_group": (
                    f"{policies.by('organization_id')} OR {GROUP_BOUND_HERE}",
                    policies.by("organization_id"),
                ),
                "tenancy_membership": (f"user_id = {ME} OR {GROUP_SEEN}", GROUP_MINE),
                "tenancy_invitation": policies.by("organization_id"),
                "tenancy_passwordreset": of_person("tenancy_passwordreset"),
                "tenancy_session": of_person("tenancy_session"),
                "tenancy_secondfactor": of_person("tenancy_secondfactor"),
                "tenancy_accesstoken": of_person("tenancy_accesstoken"),
                "tenancy_identityprovider": (
                    f"organization_id IS NULL OR {policies.by('organization_id')}",
                    policies.by("organization_id"),
                ),
                "tenancy_grouprule": (
                    "EXISTS (SELECT FROM tenancy_identityprovider p WHERE p.id = provider_id)",
                    RULE_MINE,
                ),
                "tenancy_identity": of_person("tenancy_identity"),
                "tenancy_providersession": "EXISTS (SELECT FROM tenancy_identity i WHERE i.id = identity_id)",
            }
        ),
    ]
