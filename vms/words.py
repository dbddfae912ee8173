"""What the conditions of a VM come to in sentences: for its page, for lists, for the overview. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.ui.phases import percent

# (condition, status) → (icon, tone, sentence); what is not here is shown in the cluster's own words.
SENTENCES: Mapping[tuple[str, str], tuple[str, str, str]] = {
    ("Suspended", "True"): ("paused", "warn", "It is suspended: OVIM leaves it alone."),
    ("Ready", "True"): ("ok", "ok", "It is as it should be."),
    ("Ready", "False"): ("info", "", "It is not ready."),
    ("DiskReady", "True"): ("ok", "ok", "Its disks are filled."),
    ("DiskReady", "False"): ("busy", "busy", "A disk is being filled."),
    ("ImportFailed", "True"): ("failed", "bad", "The disk's image could not be imported."),
    ("Scheduled", "True"): ("ok", "ok", "A node has room for it."),
    ("Scheduled", "False"): ("warning", "warn", "No node has room for it yet."),
    ("AgentConnected", "True"): ("ok", "ok", "The guest agent answers."),
    ("RestartRequired", "True"): ("refresh", "warn", "A change takes effect with the next restart."),
    ("PowerRefused", "True"): ("warning", "warn", "A power change made in the cluster was refused."),
    ("DiskLost", "True"): ("failed", "bad", "A disk is lost: the machine is held."),
    ("Drifted", "True"): ("warning", "warn", "Somebody changed it in the cluster itself."),
    ("NameTaken", "True"): (
        "warning",
        "warn",
        "In the cluster its name belongs to something that isn’t proven to be its own.",
    ),
    ("Replaced", "True"): ("warning", "warn", "Somebody made one of its objects anew."),
    ("Refused", "True"): ("failed", "bad", "OVIM keeps what would be destroyed with its data."),
    ("Applied", "False"): ("failed", "bad", "The cluster refused a part of it."),
    ("Reconciled", "False"): ("warning", "warn", "OVIM could not finish its work on it, and tries again."),
    ("Unproven", "True"): ("warning", "warn", "Something is left that can’t be proven to be its own."),
}
# Said in a list, most urgent first.
TROUBLE = ("Suspended", "DiskLost", "Unproven", "ImportFailed", "Drifted", "PowerRefused", "RestartRequired")


def said(row: Any) -> list[dict[str, Any]]:
    """A row's conditions as sentences, each with its cause and since when."""
    found = []
    for item in row.conditions:
        known = SENTENCES.get((item["type"], item["status"]))
        picture, tone, text = known or ("info", "", f"{item['type']}: {item['status']}")
        if item["status"] == "False" and item["reason"] == "ImportFailed":
            continue  # the condition of that name says it
        found.append(
            {
                "type": item["type"],
                "icon": picture,
                "tone": tone,
                "text": text,
                "cause": item["message"],
                "since": datetime.fromisoformat(item["since"]),
            }
        )
    return found


def why(conditions: list[dict[str, Any]], *, deleting: bool = False, progress: str = "") -> str:
    """What a list says of a row that is not as it should be; nothing of one that is."""
    told = {item["type"]: item for item in conditions}
    for name in TROUBLE:
        if told.get(name, {}).get("status") == "True":
            return str(told[name]["message"] or SENTENCES[name, "True"][2])
    if deleting or percent(progress) is not None:
        return ""  # the phase says it
    if told.get("Ready", {}).get("status") == "False":
        return str(told["Ready"]["message"])
    return ""
