"""One object told to a person: what it is, what was wanted, what the cluster shows and why."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cli.cells import Row, addresses, cluster_state, seconds_since, span, used_of, vm_phase
from cli.errors import amount
from cli.nouns import Noun
from cli.output import Table, plain

LABEL = 14


def vm(row: Row) -> list[str]:
    return [
        *_pairs(
            {
                "Name": row["name"],
                "Display name": row["display_name"],
                "Description": row["description"],
                "Id": row["id"],
                "VDC": row["vdc_name"],
                "Owner": row["owner_name"],
                "Created": _when(row["created_at"]),
                "Phase": vm_phase(row),
                "Wanted": f"power {row['power_state']}",
                "Order": row.get("order", ""),
                "Size": f"{row['cpu']} vCPU, {amount('memory_mib', row['memory_mib'])} memory",
                "Addresses": addresses(row),
                "Node": row["node"],
                "Guest": row["guest_os"],
                "SSH keys": str(len(row.get("ssh_keys") or ())),
                "User data": "yes" if row.get("user_data") else "",
                "You may": _may(row),
                "Deleting": _when(row["deletion_requested_at"]),
                "Suspended": _suspended(row),
            }
        ),
        *_behind(row),
        *_unseen(row),
        *_block("Disks", row.get("disks") or (), DISKS),
        *_block("Conditions", row["conditions"] or (), CONDITIONS),
    ]


def vdc(row: Row) -> list[str]:
    resources = sorted({*(row["limits"] or {}), *(row["allocated"] or {})})
    quota = [{"resource": name, "used": used_of(name)(row)} for name in resources]
    return [
        *_pairs(
            {
                "Name": row["name"],
                "Display name": row["display_name"],
                "Description": row["description"],
                "Id": row["id"],
                "Organization": row["organization_name"],
                "Cluster": row["cluster_name"],
                "Namespace": row["namespace"],
                "Created": _when(row["created_at"]),
                "Phase": row["phase"],
                "Limits bind": f"what is {row['enforcement']}",
                "You may": _may(row),
                "Deleting": _when(row["deletion_requested_at"]),
                "Suspended": _suspended(row),
            }
        ),
        *_behind(row),
        *_unseen(row),
        *_kubectl(row.get("kubectl")),
        *_block("Quota", quota, {"RESOURCE": lambda item: item["resource"], "USED/LIMIT": lambda item: item["used"]}),
        *_block("Conditions", row["conditions"] or (), CONDITIONS),
    ]


def organization(row: Row) -> list[str]:
    quota = row["quota"]
    resources = sorted({*(quota["limits"] or {}), *(quota["used"] or {}), *(quota["reserved"] or {})})
    lines = [{"resource": name, **{key: _of(quota[key], name) for key in QUOTA_KEYS}} for name in resources]
    return [
        *_pairs(
            {
                "Name": row["name"],
                "Display name": row["display_name"],
                "Description": row["description"],
                "Id": row["id"],
                "Enabled": "yes" if row["enabled"] else "no",
                "Created": _when(row["created_at"]),
                "Phase": row["phase"],
                "Quota binds": {"reservation": "the VDCs' limits", "elastic": "the VDCs' use"}.get(quota["mode"], ""),
                "You may": _may(row),
                "Deleting": _when(row["deletion_requested_at"]),
                "Suspended": _suspended(row),
            }
        ),
        *_block("Quota", lines, ORGANIZATION_QUOTA),
        *_block("Conditions", row["conditions"] or (), CONDITIONS),
    ]


def cluster(row: Row) -> list[str]:
    capabilities = dict(row["capabilities"])
    classes = capabilities.pop("storage_classes", [])
    lines = [{"name": name, "value": value} for name, value in sorted(capabilities.items())]
    return [
        *_pairs(
            {
                "Name": row["name"],
                "Display name": row["display_name"],
                "Id": row["id"],
                "Server": row["server"],
                "State": cluster_state(row),
                "Default": "yes" if row["is_default"] else "no",
                "Lost since": _when(row["failing_since"]),
                "Last error": row["last_error"],
                "Last answered": _when(row["seen_at"]),
                "Checked": _when(row["checked_at"]),
                "Check failed": row["check_error"],
                "It lacks": "; ".join(row["lacking"]),
                "Roles hold": _naming(row),
                "Signs in as": row["signs_in_as"] or "by token",
                "Credential ends": _when(row["credential_expires_at"], ahead=True),
                "Warnings": "; ".join(row["warnings"]),
                "Registered": _when(row["created_at"]),
            }
        ),
        *_block("Capabilities", lines, CAPABILITIES),
        *_block("Storage classes", classes, CLASSES),
    ]


def anything(row: Row) -> list[str]:
    """What has no page of its own: its fields, by name."""
    shown = {key: value for key, value in row.items() if key != "allowed_actions"}
    texts = {key: value if isinstance(value, str | int | None) else json.dumps(value) for key, value in shown.items()}
    return _pairs({key.replace("_", " ").capitalize(): value for key, value in texts.items()} | {"You may": _may(row)})


def described(noun: Noun, row: Row) -> list[str]:
    return DESCRIBED.get(noun.name, anything)(row)


DESCRIBED: Mapping[str, Callable[[Row], list[str]]] = {
    "vm": vm,
    "vdc": vdc,
    "organization": organization,
    "cluster": cluster,
}

CAPABILITIES: Mapping[str, Callable[[Row], str]] = {
    "CAPABILITY": lambda item: item["name"],
    "VALUE": lambda item: _said(item["value"]),
}
CLASSES: Mapping[str, Callable[[Row], str]] = {
    "NAME": lambda item: item["name"],
    "DEFAULT": lambda item: "for VMs" if item["default_for_vms"] else "yes" if item["default"] else "",
    "ACCESS": lambda item: ", ".join(item["access_modes"]),
    "GROWS": lambda item: "yes" if item["grows"] else "no",
}

QUOTA_KEYS = ("limits", "reserved", "used")
ORGANIZATION_QUOTA: Mapping[str, Callable[[Row], str]] = {
    "RESOURCE": lambda item: item["resource"],
    "LIMIT": lambda item: item["limits"],
    "RESERVED": lambda item: item["reserved"],
    "USED": lambda item: item["used"],
}

DISKS: Mapping[str, Callable[[Row], str]] = {
    "NAME": lambda disk: disk["name"],
    "SIZE": lambda disk: amount("disk_gib", disk["size_gib"]),
    "CLASS": lambda disk: disk["storage_class"] or "",
    "FROM": lambda disk: disk["image_url"] or disk["source"],
}
CONDITIONS: Mapping[str, Callable[[Row], str]] = {
    "TYPE": lambda item: item["type"],
    "STATUS": lambda item: item["status"],
    "SINCE": lambda item: span(seconds_since(item["since"])) if item.get("since") else "",
    "REASON": lambda item: item.get("reason") or "",
    "MESSAGE": lambda item: item.get("message") or "",
}


def _pairs(values: Mapping[str, Any]) -> list[str]:
    """What is empty is left out."""
    return [f"{label + ':':<{LABEL}} {plain(str(value))}" for label, value in values.items() if value not in (None, "")]


def _block(title: str, rows: Iterable[Row], columns: Mapping[str, Callable[[Row], str]]) -> Sequence[str]:
    lines = Table(columns).lines(list(rows))
    return [f"{title}:", *(f"  {line}" for line in lines)] if len(lines) > 1 else []


def _of(amounts: Mapping[str, int] | None, resource: str) -> str:
    return "" if resource not in (amounts or {}) else amount(resource, (amounts or {})[resource])


def _may(row: Row) -> str:
    """What the server says this person may do to it now, and what not and why."""
    actions = row.get("allowed_actions") or {}
    return ", ".join(name if why is None else f"not {name} ({why.rstrip('.')})" for name, why in actions.items())


def _suspended(row: Row) -> str:
    """Since when OVIM leaves it alone, and why."""
    told = row.get("suspended")
    return "" if told is None else _when(told["at"]) + (f": {told['reason']}" if told["reason"] else "")


def _behind(row: Row) -> list[str]:
    """The cluster has not been brought to the last change yet."""
    if row["observed_generation"] >= row["generation"]:
        return []
    return [f"{'Note:':<{LABEL}} the last change is still on its way to the cluster; below is how it was before"]


def _unseen(row: Row) -> list[str]:
    """Its cluster is lost: what follows is how it was."""
    if not row.get("unseen_since"):
        return []
    return [
        f"{'Note:':<{LABEL}} its cluster is lost; last seen {_when(row['unseen_since'])}, and below is how it was then"
    ]


def _kubectl(told: Row | None) -> Sequence[str]:
    """Whether the caller can use kubectl there, and as whom."""
    if told is None:
        return []
    if not told["enabled"]:
        return _pairs({"With kubectl": "its cluster takes no roles from OVIM"})
    mine = f"{', '.join(told['roles'])} as {', '.join(told['usernames'])}" if told["roles"] else told["hindrance"]
    people = ", ".join(f"{count} {role}" for role, count in told["people"].items())
    wrong = [item for item in told["conditions"] if item["type"] != "Ready" or item["status"] != "True"]
    return [*_pairs({"With kubectl": mine, "Who else": people}), *_block("People's access", wrong, CONDITIONS)]


def _naming(row: Row) -> str:
    """By which names the people of OVIM are known there."""
    if not row["tenant_access"]:
        return "no"
    prefix = row["oidc_username_prefix"]
    return f"yes, by {row['oidc_username_claim']}" + (f" with the prefix {prefix}" if prefix else "")


def _said(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items())
    return ", ".join(value) if isinstance(value, list) else "not there" if value is None else str(value)


def _when(moment: str | None, *, ahead: bool = False) -> str:
    if not moment:
        return ""
    since = seconds_since(moment)
    told = f"in {span(-since)}" if ahead and since < 0 else f"{span(since)} ago"
    return f"{moment[:19].replace('T', ' ')} UTC ({told})"
