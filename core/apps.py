from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "core"
    verbose_name = "Audit log and requests"

    def ready(self) -> None:
        from core import checks, key_checks  # noqa: F401, PLC0415  # registers them
