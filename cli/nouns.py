"""What there is: each noun's address, the words it goes by, its columns, and which of its fields can be written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cli.cells import Cell, Row, addresses, age, cluster_state, flag, text, used_of, vm_phase, where, whole

__all__ = ["BY_WORD", "NOUNS", "Cell", "Noun", "Row"]


@dataclass(frozen=True)
class Noun:
    """`columns` are always shown, `wide` also with -o wide. `full_name`: what finds the row again.

    `parts`: what a path of names is made of, the last part being the row's own `key`. `scopes`: which of vdc and org
    narrow a list, `home`: which of them the context's own do. `made`, `edited`: the fields of POST and PATCH, as in
    schema.yaml (a test compares); `refs`: those that hold an id, and of what. `live`: its kind in the live stream.
    """

    name: str
    path: str
    words: Sequence[str]
    columns: Mapping[str, Cell]
    wide: Mapping[str, Cell]
    full_name: Cell
    parts: Sequence[str] = ("name",)
    key: str = "name"
    scopes: frozenset[str] = frozenset()
    home: frozenset[str] = frozenset()
    made: Sequence[str] = ()
    edited: Sequence[str] = ()
    refs: Mapping[str, str] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()
    live: str = ""
    has_detail: bool = True

    @property
    def plural(self) -> str:
        return self.path.replace("-", " ")


ID: dict[str, Cell] = {"ID": text("id")}
BASE = frozenset({"id", "created_at", "generation", "allowed_actions"})
STATUS = BASE | {"phase", "conditions", "observed_generation", "updated_at", "deletion_requested_at", "suspended"}

VM = Noun(
    "vm",
    "vms",
    ("vm", "virtualmachine", "virtualmachines"),
    {
        "NAME": text("name"),
        "VDC": text("vdc_name"),
        "PHASE": vm_phase,
        "CPU": whole("cpu"),
        "MEMORY": whole("memory_mib"),
        "DISK": whole("disk_gib"),
        "ADDRESS": addresses,
        "AGE": age("created_at"),
    },
    {"OWNER": text("owner_name"), "POWER": text("power_state"), "NODE": text("node"), "GUEST": text("guest_os")} | ID,
    lambda row: f"{row['vdc_name']}/{row['name']}",
    parts=("org", "vdc", "name"),
    scopes=frozenset({"vdc", "org"}),
    home=frozenset({"vdc", "org"}),
    made=(
        "name", "vdc", "display_name", "description", "catalog_item", "image_url", "cpu", "memory_mib", "memory",
        "disk_gib", "disk", "storage_class", "ssh_keys", "user_data", "power_state",
    ),
    edited=("display_name", "description", "cpu", "memory_mib", "memory"),
    refs={"vdc": "vdcs", "catalog_item": "items"},
    shown=STATUS
    | {
        "organization", "vdc_name", "owner", "owner_name", "ip_addresses", "node", "guest_os", "progress", "disks", "order",
        "unseen_since",
    },
    live="vm",
)  # fmt: skip
VDC = Noun(
    "vdc",
    "vdcs",
    ("vdc", "virtualdatacenter", "virtualdatacenters"),
    {
        "NAME": text("name"),
        "ORGANIZATION": text("organization_name"),
        "PHASE": text("phase"),
        "VMS": used_of("vms"),
        "CPU": used_of("cpu"),
        "MEMORY": used_of("memory_mib"),
        "DISK": used_of("disk_gib"),
        "AGE": age("created_at"),
    },
    {"CLUSTER": text("cluster_name"), "NAMESPACE": text("namespace"), "BINDS": text("enforcement")} | ID,
    lambda row: f"{row['organization_name']}/{row['name']}",
    parts=("org", "name"),
    scopes=frozenset({"org"}),
    home=frozenset({"org"}),
    made=(
        "name", "organization", "display_name", "description", "limits", "enforcement", "network_mode",
        "min_disk_gib", "max_disk_gib", "cluster",
    ),
    edited=(
        "display_name", "description", "limits", "enforcement", "network_mode", "min_disk_gib", "max_disk_gib",
        "allow_below_use",
    ),
    refs={"organization": "organizations", "cluster": "clusters"},
    shown=STATUS | {"organization_name", "cluster_name", "namespace", "allocated", "active", "unseen_since"},
    live="vdc",
)  # fmt: skip
ORGANIZATION = Noun(
    "organization",
    "organizations",
    ("organization", "org", "orgs"),
    {
        "NAME": text("name"),
        "DISPLAY NAME": text("display_name"),
        "PHASE": text("phase"),
        "ENABLED": flag("enabled"),
        "AGE": age("created_at"),
    },
    ID,
    text("name"),
    made=("name", "display_name", "description"),
    edited=(
        "display_name", "description", "enabled", "second_factor_required", "technical_contact_name",
        "technical_contact_email", "billing_contact_name", "billing_contact_email", "accent_light", "accent_dark",
    ),
    shown=STATUS - {"observed_generation", "updated_at"} | {"deletion_due_at", "logo"},
)  # fmt: skip
CATALOG = Noun(
    "catalog",
    "catalogs",
    ("catalog", "cat"),
    {
        "NAME": text("name"),
        "DISPLAY NAME": text("display_name"),
        "ITEMS": text("item_count"),
        "SOURCE": text("source_type"),
        "ENABLED": flag("enabled"),
        "SYNCED": age("synced_at"),
    },
    {"ERRORS": lambda row: str(len(row.get("sync_errors") or ()))} | ID,
    text("name"),
    parts=("org", "name"),
    scopes=frozenset({"org"}),
)
ITEM = Noun(
    "catalog item",
    "catalog-items",
    ("item", "catalog-item", "catalog-items"),
    {
        "NAME": text("name"),
        "CATALOG": text("catalog_name"),
        "TYPE": text("type"),
        "VERSION": text("version"),
        "OS": text("os_family"),
        "CPU": whole("cpu"),
        "MEMORY": whole("memory_mib"),
        "DISK": whole("disk_gib"),
    },
    {"MIN DISK": whole("min_disk_gib", "disk_gib"), "IMAGE": text("image_url")} | ID,
    lambda row: f"{row['catalog_name']}/{row['name']}",
    parts=("org", "catalog", "name"),
    scopes=frozenset({"org"}),
)
CLUSTER = Noun(
    "cluster",
    "clusters",
    ("cluster",),
    {
        "NAME": text("name"),
        "DISPLAY NAME": text("display_name"),
        "DEFAULT": flag("is_default"),
        "STATE": cluster_state,
        "LOST FOR": age("failing_since"),
        "KUBEVIRT": lambda row: str(row["capabilities"].get("kubevirt") or ""),
        "LAST ERROR": text("last_error"),
        "AGE": age("created_at"),
    },
    {"SERVER": text("server"), "SEEN": age("seen_at"), "CHECKED": age("checked_at")} | ID,
    text("name"),
    made=("name", "display_name", "is_default", "kubeconfig", "context", "server", "token", "ca"),
    edited=(
        "display_name", "schedulable", "is_default", "tenant_access", "oidc_username_claim", "oidc_username_prefix",
        "oidc_groups_prefix", "oidc_issuer", "oidc_groups",
    ),
    shown=BASE
    | {
        "capabilities", "lacking", "checked_at", "check_error", "credential_expires_at", "failing_since", "last_error",
        "seen_at", "signs_in_as", "warnings", "watched_at",
    },
)  # fmt: skip
ORPHAN = Noun(
    "orphan",
    "orphans",
    ("orphan",),
    {
        "KIND": text("kind"),
        "NAMESPACE": text("namespace"),
        "NAME": text("name"),
        "CLUSTER": text("cluster_name"),
        "BY OVIM": flag("applied_by_us"),
        "FIRST SEEN": age("first_seen_at"),
        "ID": text("id"),
    },
    {"UID": text("uid"), "AGE": age("made_at"), "ERROR": text("last_error")},
    lambda row: f"{row['kind']} {row['namespace']}/{row['name']}",
)
USER = Noun(
    "user",
    "users",
    ("user",),
    {
        "NAME": text("username"),
        "FULL NAME": text("full_name"),
        "EMAIL": text("email"),
        "ENABLED": flag("enabled"),
        "AGE": age("created_at"),
    },
    {"ORGANIZATION": text("organization")} | ID,
    text("username"),
    key="username",
    scopes=frozenset({"org"}),
    home=frozenset({"org"}),
    made=("username", "password", "organization", "email", "full_name", "must_change_password"),
    edited=("email", "full_name", "enabled", "password"),
    refs={"organization": "organizations"},
    shown=BASE,
)
ROLE = Noun(
    "role",
    "roles",
    ("role",),
    {
        "NAME": text("name"),
        "ORGANIZATION": text("organization_name"),
        "TITLE": text("display_name"),
        "RIGHTS": lambda row: str(len(row["rights"])),
        "OWN ONLY": flag("own_only"),
        "AGE": age("created_at"),
    },
    ID,
    text("name"),
    parts=("org", "name"),
    scopes=frozenset({"org"}),
    home=frozenset({"org"}),
    made=("name", "organization", "display_name", "rights", "own_only"),
    edited=("display_name", "rights", "own_only"),
    refs={"organization": "organizations"},
    shown=BASE | {"organization_name"},
)
GROUP = Noun(
    "group",
    "groups",
    ("group",),
    {
        "NAME": text("name"),
        "ORGANIZATION": text("organization_name"),
        "TITLE": text("display_name"),
        "OUTSIDE": text("external"),
        "AGE": age("created_at"),
    },
    ID,
    text("name"),
    parts=("org", "name"),
    scopes=frozenset({"org"}),
    home=frozenset({"org"}),
    made=("name", "organization", "display_name", "external"),
    edited=("display_name", "external"),
    refs={"organization": "organizations"},
    shown=BASE | {"organization_name"},
)
MEMBERSHIP = Noun(
    "membership",
    "memberships",
    ("membership", "member", "members"),
    {"GROUP": text("group_name"), "USER": text("username"), "AGE": age("created_at"), "ID": text("id")},
    {},
    text("id"),
    made=("group", "user"),
    refs={"group": "groups", "user": "users"},
    shown=BASE - {"generation"} | {"group_name", "username"},
    has_detail=False,
)
BINDING = Noun(
    "role binding",
    "role-bindings",
    ("role-binding", "rolebinding", "rolebindings"),
    {
        "USER": text("username"),
        "GROUP": text("group_name"),
        "ROLE": text("role"),
        "ON": where,
        "UNTIL": text("expires_at"),
        "AGE": age("created_at"),
        "ID": text("id"),
    },
    {},
    text("id"),
    key="id",
    scopes=frozenset({"org", "vdc"}),
    made=("user", "group", "role", "organization", "vdc", "vm", "expires_at"),
    edited=("expires_at",),
    refs={"user": "users", "group": "groups", "organization": "organizations", "vdc": "vdcs", "vm": "vms"},
    shown=BASE - {"generation"}
    | {"username", "group_name", "custom_role", "organization_name", "vdc_name", "vm_name", "by_provider"},
    has_detail=False,
)
INVITATION = Noun(
    "invitation",
    "invitations",
    ("invitation", "inv"),
    {
        "EMAIL": text("email"),
        "STATE": text("state"),
        "ROLE": text("role"),
        "ON": where,
        "BY": text("inviter"),
        "SENT": age("sent_at"),
        "EXPIRES": text("expires_at"),
    },
    ID,
    text("email"),
    key="email",
    scopes=frozenset({"org"}),
    home=frozenset({"org"}),
    made=("organization", "email", "role", "vdc", "days"),
    refs={"organization": "organizations", "vdc": "vdcs"},
    shown=BASE
    | {
        "organization_name", "vdc_name", "custom_role", "state", "trouble", "inviter", "sent_at", "expires_at", "accepted_at",
        "accepted_by", "withdrawn_at",
    },
)  # fmt: skip
TOKEN = Noun(
    "access token",
    "tokens",
    ("token", "access-token", "access-tokens"),
    {
        "NAME": text("name"),
        "USER": text("username"),
        "RIGHTS": lambda row: "all" if row["rights"] is None else str(len(row["rights"])),
        "VDCS": lambda row: "all" if row["places"] is None else str(len(row["places"])),
        "EXPIRES": text("expires_at"),
        "USED": age("last_used_at"),
        "AGE": age("created_at"),
    },
    {"FROM": text("last_address")} | ID,
    text("name"),
    made=("name", "days", "rights", "vdcs", "service_account"),
    refs={"service_account": "service-accounts"},
    shown=frozenset(
        {
            "id", "created_at", "allowed_actions", "user", "username", "is_service", "places", "expires_at",
            "last_used_at", "last_address",
        }
    ),
)  # fmt: skip
IDENTITY_PROVIDER = Noun(
    "identity provider",
    "identity-providers",
    ("identity-provider", "identityprovider", "identityproviders", "idp"),
    {
        "NAME": text("name"),
        "ORGANIZATION": text("organization_name"),
        "DISPLAY NAME": text("display_name"),
        "ISSUER": text("issuer"),
        "ENABLED": flag("enabled"),
        "RULES": lambda row: str(len(row["rules"])),
        "AGE": age("created_at"),
    },
    {"CLIENT": text("client_id")} | ID,
    text("name"),
    scopes=frozenset({"org"}),
    made=(
        "name", "organization", "display_name", "issuer", "client_id", "client_secret", "scopes", "email_domains",
        "enabled", "creates_users", "username_claim", "email_claim", "name_claim", "groups_claim", "multi_factor", "rules",
    ),
    edited=(
        "display_name", "client_id", "client_secret", "scopes", "email_domains", "enabled", "creates_users",
        "username_claim", "email_claim", "name_claim", "groups_claim", "multi_factor", "rules",
    ),
    refs={"organization": "organizations"},
    shown=BASE | {"organization_name", "has_client_secret"},
)  # fmt: skip
SERVICE_ACCOUNT = Noun(
    "service account",
    "service-accounts",
    ("service-account", "serviceaccount", "serviceaccounts", "sa"),
    {
        "NAME": text("username"),
        "FOR": text("full_name"),
        "ENABLED": flag("enabled"),
        "AGE": age("created_at"),
    },
    {"ORGANIZATION": text("organization")} | ID,
    text("username"),
    key="username",
    scopes=frozenset({"org"}),
    home=frozenset({"org"}),
    made=("name", "organization", "full_name"),
    edited=("full_name", "enabled"),
    refs={"organization": "organizations"},
    shown=BASE | {"username"},
)
ENTRY = Noun(
    "audit entry",
    "audit-entries",
    ("audit", "audit-entry", "auditentries"),
    {
        "AGE": age("at"),
        "WHO": text("actor_name"),
        "ACTION": text("action"),
        "OBJECT": lambda row: f"{row['object_kind']} {row['object_name']}".strip(),
        "OUTCOME": text("outcome"),
        "REASON": text("reason"),
    },
    {"FROM": text("address"), "REQUEST": text("request_id")} | ID,
    text("id"),
    scopes=frozenset({"org"}),
    has_detail=False,
)
NOUNS = {
    "vms": VM,
    "vdcs": VDC,
    "organizations": ORGANIZATION,
    "catalogs": CATALOG,
    "items": ITEM,
    "clusters": CLUSTER,
    "orphans": ORPHAN,
    "users": USER,
    "roles": ROLE,
    "groups": GROUP,
    "memberships": MEMBERSHIP,
    "role-bindings": BINDING,
    "invitations": INVITATION,
    "tokens": TOKEN,
    "service-accounts": SERVICE_ACCOUNT,
    "identity-providers": IDENTITY_PROVIDER,
    "audit-entries": ENTRY,
}
BY_WORD = {word: noun for plural, noun in NOUNS.items() for word in (plural, *noun.words)}
KINDS = {noun.words[0]: noun for noun in NOUNS.values()}  # `kind:` in a file, as `get -o yaml` prints it
