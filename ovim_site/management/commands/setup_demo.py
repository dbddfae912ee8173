"""`manage.py setup_demo`: an example tenant on the cluster of OVIM_KUBECONFIG. Run again it changes nothing.

What it knows of people's passwords it writes to `--sign-ins` (mode 0600) or, without that, to the output, as JSON:
{"demo_user": …, "sign_ins": [{"username", "password", "role"}, …]}. A password that exists is kept; the file of an
earlier run is read again, so that nothing is lost by running twice.
"""

import json
import os
import secrets
from pathlib import Path
from typing import Any

import yaml
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from catalogs.items import ItemError
from catalogs.models import Catalog
from catalogs.services import create_catalog, sync_local
from clusters import kubeconfig
from clusters.fleet import check_cluster, edit_cluster, look_again
from clusters.models import Cluster
from clusters.services import connect_cluster, install_definitions
from core.actor import Actor, system_actor
from core.errors import DomainError
from tenancy.models import Organization, RoleBinding, RoleName, User
from tenancy.services.bindings import bind_role
from tenancy.services.organizations import create_organization
from tenancy.services.users import create_user, set_password
from vdcs.models import QuotaScope, Vdc
from vdcs.services import create_vdc, set_organization_quota

ORGANIZATION = "acme-corp"
QUOTA = {"cpu": 48, "memory_mib": "96Gi", "disk_gib": "1Ti", "vms": 60}
VDCS: dict[str, dict[str, Any]] = {
    "dev": {"cpu": 16, "memory_mib": "32Gi", "disk_gib": 400, "vms": 40},
    "prod": {"cpu": 32, "memory_mib": "64Gi", "disk_gib": 600, "vms": 20},
}
# user name → role, and whether it is bound in the organization, and in which VDC
PEOPLE: dict[str, tuple[RoleName, bool, str]] = {
    "root": (RoleName.SYSTEM_ADMIN, False, ""),
    "alice": (RoleName.ORG_ADMIN, True, ""),
    "vera": (RoleName.VDC_ADMIN, True, "dev"),
    "bob": (RoleName.USER, True, "dev"),
}
DEMO_USER, DEMO_ITEM = "bob", "demo-linux"
CATALOG = "examples"


class Command(BaseCommand):
    help = "Connect the cluster of OVIM_KUBECONFIG and make an example tenant. Idempotent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sign-ins", type=Path, help="write the sign-ins here (mode 0600) instead of the output")
        parser.add_argument("--image-url", default=os.environ.get("OVIM_DEMO_IMAGE_URL", ""), help="of the demo image")
        parser.add_argument(
            "--oidc-prefix", help="people's roles hold in the cluster, by user names with this in front"
        )
        parser.add_argument("--reset-passwords", action="store_true", help="give everybody a new password")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = system_actor("setup_demo")
        try:
            cluster = _connect(actor)
            if options["oidc_prefix"] is not None and not cluster.tenant_access:
                naming = {"tenant_access": True, "oidc_username_prefix": options["oidc_prefix"]}
                cluster = edit_cluster(actor=actor, cluster=cluster, changes=naming)
            organization, vdcs = _tenant(actor)
            for wrong in _catalog(actor, options["image_url"]):
                self.stderr.write(f"left out of the catalog: {wrong}")
            passwords = _passwords(_known(options["sign_ins"]), reset=options["reset_passwords"])
            people = [{"username": name, "password": passwords[name], "role": _role(name)} for name in PEOPLE]
            # Written before it is true: killed in between, the next run gives people the passwords that are told.
            self._tell(options["sign_ins"], {"demo_user": DEMO_USER, "sign_ins": people})
            for name in PEOPLE:
                _person(actor, name, organization, vdcs, passwords[name], reset=options["reset_passwords"])
        except DomainError as error:
            raise CommandError(f"{error.message} {'; '.join(item.message for item in error.errors)}".strip()) from None
        self.stderr.write(f"cluster {cluster} at {cluster.server}; organization {organization}; VDCs {', '.join(vdcs)}")

    def _tell(self, file: Path | None, found: dict[str, Any]) -> None:
        if file is None:
            self.stdout.write(json.dumps(found))
            return
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            json.dump(found, out, indent=2)
        part.replace(file)


def _connect(actor: Actor) -> Cluster:
    path = os.environ.get("OVIM_KUBECONFIG")
    if not path:
        raise CommandError("OVIM_KUBECONFIG is not set: it names the kubeconfig of the cluster to connect.")
    cluster = connect_cluster(
        actor=actor, name="default", display_name="Default cluster", to=kubeconfig.read(Path(path)), default=True
    )
    folders = (settings.BASE_DIR / "deploy" / name for name in ("crds", "rbac"))
    files = sorted(file for folder in folders for file in folder.glob("*.yaml"))
    manifests = [body for file in files for body in yaml.safe_load_all(file.read_text())]
    install_definitions(actor=actor, cluster=cluster, manifests=manifests)
    return check_cluster(actor=actor, cluster=cluster, found=look_again(cluster))


def _tenant(actor: Actor) -> tuple[Organization, dict[str, Vdc]]:
    organization = Organization.objects.filter(name=ORGANIZATION).first()
    if organization is None:
        organization = create_organization(actor=actor, name=ORGANIZATION, display_name="Acme Corporation")
    if not QuotaScope.objects.filter(organization=organization, vdc=None).exclude(limits={}).exists():
        set_organization_quota(actor=actor, organization=organization, limits=QUOTA)
    vdcs: dict[str, Vdc] = {}
    for name, limits in VDCS.items():
        kept = Vdc.objects.filter(organization=organization, name=name).first()
        vdcs[name] = kept or create_vdc(
            actor=actor, organization=organization, name=name, display_name=name.title(), limits=limits
        )
    return organization, vdcs


def _catalog(actor: Actor, image_url: str) -> list[ItemError]:
    catalog = Catalog.objects.filter(organization=None, name=CATALOG).first()
    if catalog is None:
        catalog = create_catalog(actor=actor, name=CATALOG, display_name="Examples", source_url="examples/catalog")
    folder = settings.BASE_DIR / "examples" / "catalog"
    urls = {DEMO_ITEM: image_url} if image_url else None
    return sync_local(actor=actor, catalog=catalog, folder=folder, image_urls=urls)


def _passwords(known: dict[str, str], *, reset: bool) -> dict[str, str]:
    """As they were told before. Who exists and was never told of keeps what he has: it is shown as empty."""
    have = set(User.objects.filter(username__in=PEOPLE).values_list("username", flat=True))
    return {name: _password() if reset else known.get(name) or ("" if name in have else _password()) for name in PEOPLE}


def _role(name: str) -> str:
    role, _inside, vdc = PEOPLE[name]
    return f"{role.label}{f' in {vdc}' if vdc else ''}"


def _person(
    actor: Actor, name: str, organization: Organization, vdcs: dict[str, Vdc], password: str, *, reset: bool
) -> None:
    role, inside, vdc = PEOPLE[name]
    home = organization if inside else None
    vdc_id = vdcs[vdc].pk if vdc else None
    user = User.objects.filter(username=name).first()
    if user is None:
        user = create_user(actor=actor, username=name, password=password, organization=home)
    elif reset:
        set_password(actor=actor, user=user, password=password)
    if not RoleBinding.objects.filter(user=user, role=role, organization=home, vdc_id=vdc_id).exists():
        bind_role(actor=actor, user=user, role=role, organization=home, vdc_id=vdc_id)


def _known(file: Path | None) -> dict[str, str]:
    """Passwords that an earlier run wrote down."""
    try:
        return {item["username"]: item["password"] for item in json.loads(file.read_text())["sign_ins"]} if file else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _password() -> str:
    """80 bits, in groups that can be typed."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(4)) for _ in range(4))
