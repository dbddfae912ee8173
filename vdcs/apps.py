from django.apps import AppConfig


class VdcsConfig(AppConfig):
    name = "vdcs"
