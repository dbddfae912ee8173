"""Pages of VMs."""

from django.urls import path

from core.listing.menu import menu_of
from vms import editing, foreign, many, people, views
from vms.listings import VMS

urlpatterns = [
    path("vms/", views.vm_list, name="vm-list"),
    path("vms/bulk/", many.vm_bulk, name="vm-bulk"),
    path("vms/new/", views.vm_create, name="vm-new"),
    path("vms/<uuid:pk>/", views.vm_detail, name="vm-detail"),
    path("vms/<uuid:pk>/menu/", menu_of(VMS), name="vm-menu"),
    path("vms/<uuid:pk>/edit/", editing.vm_edit, name="vm-edit"),
    path("vms/<uuid:pk>/people/", people.vm_people, name="vm-people"),
    path("vms/<uuid:pk>/power/", views.vm_power, name="vm-power"),
    path("vms/<uuid:pk>/orders/", views.vm_order, name="vm-order"),
    path("vms/<uuid:pk>/delete/", views.vm_delete, name="vm-delete"),
    path("vdcs/<uuid:pk>/unmanaged/", foreign.vdc_unmanaged, name="vdc-unmanaged-page"),
    path("vdcs/<uuid:pk>/unmanaged/<str:name>/adopt/", foreign.vm_adopt, name="vm-adopt"),
]
