from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ovim_site.supervisor.process import Account


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can pass through (pytest's own are for one account), with a space in its name."""
    folder = Path(tempfile.mkdtemp(prefix="ovim test ", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def in_child() -> Callable[[Account, Callable[[], object]], str]:
    return _in_child


def _in_child(account: Account, act: Callable[[], object]) -> str:
    """What the act said when it failed, done as that account. By fork, since root's Python may be out of its reach."""
    reader, writer = os.pipe()
    if child := os.fork():
        os.close(writer)
        with os.fdopen(reader) as answer:
            said = answer.read()
        os.waitpid(child, 0)
        return said
    try:
        os.setgroups([])
        os.setgid(account.gid)
        os.setuid(account.uid)
        act()
    except BaseException as error:
        os.write(writer, f"{error!r}".encode())
    finally:
        os._exit(0)
