"""A hundred thousand VMs, written by SQL as the services would leave them: one organization has 92,000 of them."""

from dataclasses import dataclass

from django.db import connection, connections

from tenancy.models import RoleName, User
from tests.cast import make_user
from tests.domain import a_vdc, an_item, an_organization
from vdcs.models import Vdc

MANY, LARGE, OWN = 100_000, 92_000, 50


@dataclass(frozen=True)
class Crowd:
    """Who looks, and at what."""

    root: User
    lara: User  # admin of the large organization
    bob: User  # has fifty VMs
    carl: User  # makes new ones
    large: Vdc
    small: Vdc


def tenants() -> Crowd:
    """Two organizations and three people, through the services."""
    large, small = (a_vdc("main", organization=an_organization(name)) for name in ("large", "small"))
    an_item()
    return Crowd(
        root=make_user("root", RoleName.SYSTEM_ADMIN),
        lara=make_user("lara", RoleName.ORG_ADMIN, organization=large.organization),
        bob=make_user("bob", RoleName.USER, organization=small.organization, vdc_id=small.pk),
        carl=make_user("carl", RoleName.USER, organization=small.organization, vdc_id=small.pk),
        large=large,
        small=small,
    )


def fill(crowd: Crowd) -> None:
    """The VMs with a disk each, spread over the order of ids as if all had been made side by side."""
    with connection.cursor() as cursor:
        cursor.execute(
            VMS,
            {
                "large": crowd.large.organization_id, "small": crowd.small.organization_id,
                "large_vdc": crowd.large.pk, "small_vdc": crowd.small.pk, "bob": crowd.bob.pk,
                "many": MANY, "few": MANY - LARGE, "own": OWN,
            },
        )  # fmt: skip
        cursor.execute(DISKS, ())
    with connections["owner"].cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE) vms_virtualmachine, vms_disk")


# Every k-th VM is of the small organization, and every k-th of those is bob's.
VMS = """
INSERT INTO vms_virtualmachine (id, generation, observed_generation, phase, conditions, ready_at, organization_id, vdc_id,
  owner_id, name, display_name, description, cpu, memory_mib, power_state, power_generation, power_applied_generation,
  user_data, ssh_keys, ip_addresses, node, guest_os, progress, "order", created_at, updated_at)
SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
    || substr(md5(n::text), 4, 15))::uuid,
  1, 1, 'Running',
  '[{"type":"Ready","status":"True","reason":"Running","message":"","since":"2026-11-23T10:00:00+00:00"},
    {"type":"DisksReady","status":"True","reason":"Succeeded","message":"","since":"2026-11-23T10:00:00+00:00"}]',
  now(), CASE WHEN few THEN %(small)s::uuid ELSE %(large)s END, CASE WHEN few THEN %(small_vdc)s::uuid ELSE %(large_vdc)s END,
  CASE WHEN few AND place %% (%(few)s / %(own)s) = 0 THEN %(bob)s::uuid END,
  'vm-' || n, 'Machine ' || n, '', 2, 4096, 'on', 1, 1, '', '[]',
  jsonb_build_array('10.' || n / 65536 || '.' || n / 256 %% 256 || '.' || n %% 256), 'node-' || n %% 40,
  'Ubuntu 24.04', '', '', now(), now()
FROM (SELECT n,
  n * %(few)s / %(many)s > (n - 1) * %(few)s / %(many)s AS few, n * %(few)s / %(many)s AS place
  FROM generate_series(1::bigint, %(many)s) n) numbered
"""
DISKS = """
INSERT INTO vms_disk (id, vdc_id, vm_id, name, position, source, image_url, size_gib, storage_class, "order", created_at)
SELECT gen_random_uuid(), vdc_id, id, name || '-disk-0', 0, 'image', 'https://images.example.org/jammy.qcow2', 20, '', '', now()
FROM vms_virtualmachine WHERE name LIKE 'vm-%%'
"""
