"""Static files as deployed: collected by a process of its own, then served by the web server of the product."""

import gzip
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import brotli
import pytest
import urllib3

from ovim_site.assets import STYLES
from tests.live.conftest import ROOT, answers, free_port

PAGE = "/sign-in/"
LOADED = re.compile(r'(?:href|src)="(/static/[^"#]+)')
HASHED = re.compile(r"/static/.+\.[0-9a-f]{12}\.(?:css|js|svg)")
IMPORTED = re.compile(r'(?:from|import)\s*\(?\s*"(\.[^"]+)"')


@pytest.fixture(scope="module")
def deployed(django_db_setup: None, tmp_path_factory: Any) -> Iterator[tuple[str, Path]]:
    """The address of a portal behind TLS, and the folder of its files."""
    folder, port = tmp_path_factory.mktemp("static"), free_port()
    environment = os.environ | {"OVIM_PUBLIC_URL": f"https://127.0.0.1:{port}", "OVIM_STATIC_ROOT": str(folder)}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    collect = (sys.executable, "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
    subprocess.run(collect, cwd=ROOT, env=environment, check=True)
    serve = (
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--log-level",
        "warning",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    )
    process = subprocess.Popen([sys.executable, *serve, "ovim_site.wsgi:application"], cwd=ROOT, env=environment)
    try:
        answers(f"http://127.0.0.1:{port}/healthz")
        yield f"http://127.0.0.1:{port}", folder
    finally:
        process.terminate()
        process.wait(timeout=10)


def fetch(url: str, encoding: str = "identity") -> Any:
    return urllib3.request(
        "GET", url, headers={"Accept-Encoding": encoding, "X-Forwarded-Proto": "https"}, decode_content=False
    )


def everything_of(portal: str) -> dict[str, Any]:
    """Address → answer, of all that the page loads, imports of scripts too."""
    page = fetch(f"{portal}{PAGE}")
    assert page.status == 200, page.data
    waiting, found = set(LOADED.findall(page.data.decode())), {}
    while waiting:
        address = waiting.pop()
        found[address] = fetch(f"{portal}{address}")
        if address.endswith(".js"):
            text = found[address].data.decode()
            waiting |= {urljoin(address, other) for other in IMPORTED.findall(text)} - set(found)
    return found


def test_whatever_a_page_loads_has_its_hash_in_its_name_and_stays_for_a_year(deployed):
    portal, _ = deployed
    loaded = everything_of(portal)
    assert len([name for name in loaded if name.endswith(".js")]) > 5  # portal.js brings its parts
    for address, answer in loaded.items():
        assert answer.status == 200, address
        assert HASHED.fullmatch(address), address
        assert "immutable" in answer.headers["Cache-Control"], address
        (seconds,) = re.findall(r"max-age=(\d+)", answer.headers["Cache-Control"])
        assert int(seconds) >= 31_536_000


def test_they_come_compressed_to_whoever_takes_it(deployed):
    portal, _ = deployed
    for address, plain in everything_of(portal).items():
        if len(plain.data) < 1024:
            continue
        packed = fetch(f"{portal}{address}", "br")
        assert packed.headers["Content-Encoding"] == "br", address
        assert brotli.decompress(packed.data) == plain.data
        assert len(packed.data) < len(plain.data)
        zipped = fetch(f"{portal}{address}", "gzip")
        assert zipped.headers["Content-Encoding"] == "gzip", address
        assert gzip.decompress(zipped.data) == plain.data


def test_the_styles_are_one_request_and_say_what_the_files_say_in_their_order(deployed):
    portal, _ = deployed
    sheets = [answer for address, answer in everything_of(portal).items() if address.endswith(".css")]
    assert len(sheets) == 1
    parts = [(Path(ROOT) / "static" / name).read_bytes() for name in STYLES]
    assert sheets[0].data == b"\n".join(parts)
    own = {f"css/{file.name}" for file in (Path(ROOT) / "static" / "css").glob("*.css")}
    assert own == {*STYLES, "css/admin.css"}  # a new file has to be named in STYLES


@pytest.mark.django_db
def test_where_nothing_is_collected_the_files_come_as_they_lie_there(client):
    page = client.get(PAGE).content.decode()
    assert [name.removeprefix("/static/") for name in LOADED.findall(page) if name.endswith(".css")] == list(STYLES)
