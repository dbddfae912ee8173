"""The journal: every change as one line, so that objects survive a restart and a kill.

A line is `[resource, key, version, object or null]`. A clean stop writes a snapshot and empties the journal; a start
reads the snapshot, then the journal. A torn last line (the process was killed while writing) is cut off.
"""

from __future__ import annotations

import gc
import logging
import os
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from clusters.sandbox.store import Store, Stored

LOG = logging.getLogger("ovim.sandbox.journal")
COMPACT_LINES = 200_000  # a journal longer than this is folded into a snapshot at the next start


class Journal:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.snapshot = directory / "snapshot.jsonl"
        self.path = directory / "journal.jsonl"
        self._file: BinaryIO | None = None

    def load(self, store: Store) -> None:
        """Fills the store and opens the journal for appending."""
        gc.disable()  # nothing that is read becomes garbage, and looking for some takes longer than reading
        try:
            self._load(store)
        finally:
            gc.enable()
            gc.freeze()

    def _load(self, store: Store) -> None:
        if self.snapshot.exists():
            self._replay(self.snapshot, store)
        lines = 0
        if self.path.exists():
            lines = self._replay(self.path, store)
        store.restored()
        store.compact()  # a snapshot has no deletions: watches from before the restart can't be served
        self._file = self.path.open("ab", buffering=0)
        if lines > COMPACT_LINES:
            self._fold(store)

    def _replay(self, path: Path, store: Store) -> int:
        count = good = 0
        with path.open("rb") as file:
            for line in file:
                try:
                    resource, key, version, obj = orjson.loads(line)
                except (orjson.JSONDecodeError, ValueError):
                    break
                if not line.endswith(b"\n"):
                    break
                if resource:
                    store.restore(resource, key, obj, version)
                else:
                    store.version = max(store.version, version)
                good += len(line)
                count += 1
            size = file.seek(0, os.SEEK_END)
        if good != size:
            LOG.warning("%s: cut off %d bytes of a torn line", path.name, size - good)
            os.truncate(path, good)
        return count

    def append(self, resource: str, key: str, stored: Stored | None, version: int) -> None:
        """One unbuffered write: what the kernel has, a kill of this process can't take."""
        assert self._file is not None
        head = orjson.dumps([resource, key, version])[:-1]
        self._file.write(head + b"," + (stored.raw if stored is not None else b"null") + b"]\n")

    def close(self, store: Store) -> None:
        """A clean stop: all into the snapshot."""
        if self._file is not None:
            self._fold(store)
            self._file.close()
            self._file = None

    def _fold(self, store: Store) -> None:
        assert self._file is not None
        fresh = self.snapshot.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(_line("", "", store.version, None))
            for resource, shelf in store.shelves.items():
                for key in shelf.keys:
                    stored = shelf.objects[key]
                    file.write(_line(resource, key, stored.version, stored.obj))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self.snapshot)
        self._file.close()
        self._file = self.path.open("wb", buffering=0)


def _line(resource: str, key: str, version: int, obj: Any) -> bytes:
    return orjson.dumps([resource, key, version, obj]) + b"\n"
