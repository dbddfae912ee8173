"""What may be ours and can't be proven to be: no uid on record, and the claim that would prove it is gone (ADR 28). Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from clusters.apply import CLAIM, INSTALLATION, our_entry, token_of
from clusters.refs import Ref

REASON = "ClaimGone"


def may_be_ours(live: Mapping[str, Any], ref: Ref, tokens: Collection[UUID], installation: UUID) -> bool:
    """Of an object that is expected under this name, without a uid: our apply or our claim is still on it, but not both.

    So nothing is done to it unasked, and it is not taken for a stranger's either. Only what runs or holds data is worth
    that doubt, and what is ours by its name anyway; and a person must find it: by the label among the orphans, a machine by
    its row's own order. Another installation's is told by the label, where that is its own apply's.
    """
    if token_of(live) is not None or not (ref.type.data or ref.type.guard):
        return False
    metadata, entry = live["metadata"], our_entry(live)
    claimed = (metadata.get("annotations") or {}).get(CLAIM) in {str(token) for token in tokens}
    if entry is None and not claimed:
        return False
    label = (metadata.get("labels") or {}).get(INSTALLATION)
    if label == str(installation):
        return True
    labels = entry["fieldsV1"].get("f:metadata", {}).get("f:labels", {}) if entry else {}
    return f"f:{INSTALLATION}" not in labels and ref.kind == "VirtualMachine"


def told(ref: Ref, uid: object) -> str:
    """The message of a condition that is so because of it."""
    return (
        f"{ref} (uid {uid}) was applied by OVIM, but somebody took OVIM's marks off it before its uid was on record, so "
        "nothing proves that it is this one's."
    )


def uid_told(message: str, ref: Ref) -> str:
    """The uid that such a message names of this object; empty if it is about another, or says something else."""
    found = re.match(re.escape(f"{ref} (uid ") + r"([0-9a-f-]{36})\)", message)
    return found[1] if found else ""
