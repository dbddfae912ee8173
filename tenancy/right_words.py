"""Rights in words, by what they are about: for forms that make roles and for lists of who may do what."""

from collections.abc import Collection, Mapping, Sequence

from core.rights import Right
from tenancy.roles import GIVEN_TO_ROLES

WORDS: Mapping[str, Mapping[Right, str]] = {
    "Machines": {
        Right.VM_VIEW: "see",
        Right.VM_CREATE: "make",
        Right.VM_EDIT: "change",
        Right.VM_POWER: "start and stop",
        Right.VM_DELETE: "delete",
        Right.VM_ORDER: "decide about lost disks and drift",
        Right.VM_ADOPT: "take over what OVIM did not make",
    },
    "VDCs": {
        Right.VDC_VIEW: "see",
        Right.VDC_CREATE: "make",
        Right.VDC_EDIT: "change limits and networks",
        Right.VDC_DELETE: "delete",
    },
    "Catalogs": {
        Right.CATALOG_VIEW: "see",
        Right.IMAGE_USE: "make machines from",
        Right.CATALOG_EDIT: "change",
    },
    "People and roles": {
        Right.USER_VIEW: "see people",
        Right.USER_EDIT: "look after accounts",
        Right.BINDING_VIEW: "see who may do what",
        Right.BINDING_EDIT: "give and take roles",
    },
    "Organization": {
        Right.ORGANIZATION_VIEW: "see",
        Right.ORGANIZATION_EDIT: "change",
        Right.AUDIT_VIEW: "read the audit log",
        Right.IDENTITY_PROVIDER_VIEW: "see identity providers",
    },
}
_KNOWN = frozenset(right for words in WORDS.values() for right in words)
_REST = "More"


def offered(
    rights: Collection[Right], *, among: frozenset[Right] = GIVEN_TO_ROLES
) -> Sequence[tuple[str, Sequence[tuple[Right, str]]]]:
    """Of these rights those that a role can have, in words, by what they are about. One without words has its name."""
    groups = [
        (about, [(right, word) for right, word in words.items() if right in rights and right in among])
        for about, words in WORDS.items()
    ]
    rest = [(right, str(right)) for right in sorted(among - _KNOWN) if right in rights]
    return [(about, found) for about, found in [*groups, (_REST, rest)] if found]


def in_words(rights: Collection[Right]) -> str:
    """`Machines: see, start and stop · VDCs: see`."""
    parts = [f"{about}: {', '.join(word for _, word in found)}" for about, found in offered(rights)]
    return " · ".join(parts) or "nothing here"
