"""The embedded Valkey, as a real process."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import redis

from ovim_site.supervisor.valkey import Valkey


def test_serves_only_those_who_have_the_password(open_folder: Path) -> None:
    with Valkey(open_folder) as cache:
        with redis.Redis.from_url(cache.url) as client:
            client.set("key", "value")
            assert client.get("key") == b"value"
        address = cache.url.partition("@")[2]
        with redis.Redis.from_url(f"redis://{address}") as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_the_password_is_in_a_private_file_and_on_no_command_line(open_folder: Path) -> None:
    with Valkey(open_folder, password="s3cret-word") as cache:
        assert cache._process is not None
        assert b"s3cret-word" not in Path(f"/proc/{cache._process.pid}/cmdline").read_bytes()
        assert stat.S_IMODE((open_folder / "valkey.conf").stat().st_mode) == 0o600


def test_keeps_nothing_on_disk(open_folder: Path) -> None:
    with Valkey(open_folder) as cache, redis.Redis.from_url(cache.url) as client:
        client.set("key", "value")
    assert {path.name for path in open_folder.iterdir()} == {"valkey.conf", "valkey.log"}


def test_works_in_a_folder_with_odd_characters(open_folder: Path) -> None:
    with Valkey(open_folder / 'a "quoted" \\ name') as cache:
        assert cache.is_ready()
