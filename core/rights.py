"""Every right there is. A view declares the one it needs; `tenancy.roles` says which role has which."""

from enum import StrEnum


class Right(StrEnum):
    """`<noun>.<verb>`; the value is what audit entries, refusals and the API call it."""

    ACCOUNT = "account"  # one's own password, sessions, tokens: only by who has signed in, never by an access token
    ADMIN_OPEN = "admin.open"  # the Django admin
    AUDIT_VIEW = "audit.view"
    BINDING_EDIT = "binding.edit"
    BINDING_VIEW = "binding.view"
    CATALOG_EDIT = "catalog.edit"
    CATALOG_VIEW = "catalog.view"
    CLUSTER_EDIT = "cluster.edit"
    CLUSTER_VIEW = "cluster.view"
    ENGINE_OPERATE = "engine.operate"  # retry, suspend, release: the verbs on what reconciles
    IDENTITY_PROVIDER_EDIT = "identity_provider.edit"  # and whatever an organization's admin may: it lets people in
    IDENTITY_PROVIDER_VIEW = "identity_provider.view"
    IMAGE_USE = "image.use"
    ORGANIZATION_CREATE = "organization.create"
    ORGANIZATION_DELETE = "organization.delete"
    ORGANIZATION_EDIT = "organization.edit"
    ORGANIZATION_VIEW = "organization.view"
    SELF = "self"  # what every signed-in person may do with his own account
    USER_EDIT = "user.edit"
    USER_VIEW = "user.view"
    VDC_CREATE = "vdc.create"
    VDC_DELETE = "vdc.delete"
    VDC_EDIT = "vdc.edit"
    VDC_VIEW = "vdc.view"
    VM_ADOPT = "vm.adopt"  # take over a machine that OVIM did not make
    VM_CREATE = "vm.create"
    VM_DELETE = "vm.delete"
    VM_EDIT = "vm.edit"
    VM_ORDER = "vm.order"  # what OVIM won't decide by itself: a lost disk, drift, a volume it can't prove
    VM_POWER = "vm.power"
    VM_VIEW = "vm.view"
