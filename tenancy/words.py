"""Audit entries as what somebody did."""

from collections.abc import Mapping
from typing import Any

DEEDS = {
    "vm.create": "made it",
    "vm.adopt": "adopted it",
    "vm.edit": "changed it",
    "vm.delete": "asked for it to be deleted",
    "vdc.create": "made it",
    "vdc.edit": "changed it",
    "vdc.delete": "asked for it to be deleted",
    "organization.create": "made it",
    "organization.edit": "changed it",
    "organization.quota": "changed its quota",
    "session.begin": "signed in",
    "session.ask_code": "was asked for a code after signing in elsewhere",
    "session.end": "signed out",
    "organization.delete": "asked for it to be deleted",
    "organization.disable": "disabled it",
    "organization.enable": "enabled it",
    "organization.schedule_deletion": "asked for it to be deleted with all that is in it",
    "organization.undo_deletion": "undid its deletion",
    "organization.logo": "changed its logo",
    "user.create": "made the account",
    "user.edit": "changed the account",
    "user.disable": "disabled the account",
    "user.enable": "enabled the account",
    "user.delete": "deleted the account",
    "vm.hand_over": "handed it over",
    "user.set_password": "set a password",
    "row.suspend": "suspended it",
    "row.resume": "resumed it",
    "row.reconcile": "had it looked at again",
    "orphan.delete": "had it deleted",
    "cluster.audit": "had it searched for orphans",
    "support.begin": "began support access",
    "audit.export": "exported the audit log",
    "audit.expire": "removed old audit entries",
    "audit.keep": "changed how long audit entries are kept",
    "device.confirm": "let a command sign in",
    "device.deny": "denied a command to sign in",
    "password.ask": "asked for a new password by mail",
    "invitation.create": "invited somebody",
    "invitation.resend": "sent the invitation again",
    "invitation.withdraw": "withdrew the invitation",
    "invitation.accept": "accepted the invitation",
    "identity_provider.create": "added the identity provider",
    "identity_provider.edit": "changed the identity provider",
    "identity_provider.delete": "deleted the identity provider",
    "identity.link": "linked an identity",
    "identity.unlink": "removed an identity",
    "binding.keep": "kept a role: the last one",
    "binding.create": "gave a role",
    "binding.edit": "changed when a role ends",
    "binding.delete": "took a role away",
    "binding.expire": "tidied a role away that had ended",
    "role.create": "made the role",
    "role.edit": "changed the role",
    "role.delete": "deleted the role",
    "group.create": "made the group",
    "group.edit": "changed the group",
    "group.delete": "deleted the group",
    "group.add_member": "added somebody to the group",
    "group.remove_member": "took somebody out of the group",
    "preview.begin": "began to see what he sees",
    "preview.end": "no longer sees what he sees",
}
ORDERS = {
    "recreate-disk": "had a lost disk made anew",
    "repair": "had it repaired",
    "accept": "accepted a change made in the cluster",
    "forget-volume": "let go of a volume",
    "reclaim": "reclaimed its machine in the cluster",
}


def deed(action: str, after: Mapping[str, Any] | None) -> str:
    """In two or three words; what has none of its own is named as the API names it."""
    told = after or {}
    if action == "vm.power":
        where = f" in {told['changed_in']}" if told.get("changed_in") else ""
        return ("started it" if told.get("power_state") == "on" else "stopped it") + where
    if action == "vm.order":
        return ORDERS.get(told.get("order", ""), "gave an order")
    return DEEDS.get(action, action)
