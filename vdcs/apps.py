from django.apps import AppConfig


class VdcsConfig(AppConfig):
    name = "vdcs"
    verbose_name = "VDCs and quotas"
