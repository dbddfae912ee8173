"""What the browser loads from node_modules: these files and no others, under names of our own; and all styles as one."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.utils.functional import cached_property
from whitenoise.storage import CompressedManifestStaticFilesStorage

PIECES: Mapping[str, str] = {
    "vendor/htmx.js": "htmx.org/dist/htmx.min.js",
    "vendor/icons.svg": ".ovim/icons.svg",  # cut by bin/sprite
}
# In the order of the cascade: the first one names the layers.
STYLES: Sequence[str] = tuple(
    f"css/{name}.css" for name in ("tokens", "base", "shell", "controls", "parts", "table", "rows", "pages", "small")
)
JOINED = "css/portal.css"


def stylesheets() -> Sequence[str]:
    """What a page links to: one file where files are collected, else each as it lies there."""
    return (JOINED,) if settings.OVIM_FILES_COLLECTED else STYLES


class Pieces(FileSystemStorage):
    """node_modules as a storage in which nothing exists but the pieces."""

    prefix = None

    def path(self, name: str) -> str:
        return str(Path(self.location) / PIECES[name])


class Hashed(CompressedManifestStaticFilesStorage):  # type: ignore[misc]  # whitenoise has no types
    """Names with the content's hash in them, also where one script imports another."""

    support_js_module_import_aggregation = True


class Joined(FileSystemStorage):
    """A storage in which there is one file: the styles one after the other."""

    prefix = None

    def open(self, name: str, mode: str = "rb") -> Any:
        return ContentFile(b"\n".join(Path(self.path(part)).read_bytes() for part in STYLES), name=name)

    def get_modified_time(self, name: str) -> datetime:
        return max(super(Joined, self).get_modified_time(part) for part in STYLES)


class JoinedStyles(BaseFinder):
    """A finder for `collectstatic` alone: where nothing is collected, nobody asks for the joined file."""

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        return [] if find_all else None

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        yield JOINED, Joined(location=settings.BASE_DIR / "static")


class AdminFiles(AppDirectoriesFinder):
    """The stock admin's own files, and no other app's."""

    def __init__(self, app_names: Any = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(["django.contrib.admin"], *args, **kwargs)


class NodeModules(BaseFinder):
    """A finder for `STATICFILES_FINDERS`. A piece that is not installed is not found: `make install` brings it."""

    @cached_property
    def storage(self) -> Pieces:
        return Pieces(location=settings.BASE_DIR / "node_modules")

    def check(self, **kwargs: Any) -> list[Any]:
        return []

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> Any:
        found = self.storage.path(path) if path in PIECES and self.storage.exists(path) else None
        if find_all:
            return [found] if found else []
        return found

    def list(self, ignore_patterns: Iterable[str] | None) -> Iterator[tuple[str, Any]]:
        for name in PIECES:
            if self.storage.exists(name):
                yield name, self.storage
