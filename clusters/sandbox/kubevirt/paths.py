"""Field paths as Kubernetes prints them: spec.template.spec.volumes[0].name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Path:
    text: str

    def child(self, *names: str) -> Path:
        return Path(".".join((self.text, *names)) if self.text else ".".join(names))

    def index(self, number: int) -> Path:
        return Path(f"{self.text}[{number}]")

    def __str__(self) -> str:
        return self.text


SPEC = Path("spec")
TEMPLATE_SPEC = Path("spec.template.spec")
