"""The item format: what it says, and every error by file and line at once; where images may come from; a folder as source."""

from pathlib import Path

import pytest

from catalogs.cloudinit import BadCloudInit, check_ssh_key, check_user_data
from catalogs.images import BadImage, check_url
from catalogs.items import parse
from catalogs.models import CatalogItem, Image
from catalogs.services import create_catalog, sync_local
from core.quantities import NotExact, gibibytes, mebibytes, of_mebibytes
from tests.domain import KEY, OVIM

EXAMPLES = Path(__file__).parents[2] / "examples" / "catalog"
GOOD = (EXAMPLES / "ubuntu-24-04.yaml").read_text()


def test_the_examples_are_items():
    for file in EXAMPLES.glob("*.yaml"):
        item, errors = parse(file.read_text(), file.name)
        assert errors == []
        assert item is not None
        assert item.name == file.stem


def test_every_error_is_told_with_its_line():
    text = """apiVersion: catalog.ovim.io/v2
kind: VMTemplate
metadata:
  name: Bad_Name
  colour: red
spec:
  image:
    url: ftp://images.example.org/a
  resources:
    cpu: 500m
    memory: 1000
  cloudInit: |
    #cloud-config
    a: [1
"""
    item, errors = parse(text, "bad.yaml")
    assert item is None
    found = [(error.line, str(error)) for error in errors]
    for line, words in (
        (1, "apiVersion must be"), (4, "metadata.name"), (5, "metadata.colour"), (8, "spec.image.url"),
        (10, "spec.resources.cpu"), (10, "spec.resources.disk is missing"), (11, "spec.resources.memory"),
        (15, "spec.cloudInit"),
    ):  # fmt: skip
        assert any(number == line and words in told for number, told in found), (line, words, found)
    assert all(told.startswith("bad.yaml:") for _line, told in found)


@pytest.mark.parametrize("text", ["", "[]", "a: [", "a: &a [*a]", "- " * 5000, "x" * 300_000, "a: 1\na: 2\n", "\x00"])
def test_what_is_no_item_is_an_error_and_never_a_fault(text):
    item, errors = parse(text, "odd.yaml")
    assert item is None
    assert errors


@pytest.mark.django_db
def test_a_folder_becomes_items_and_follows_it(tmp_path):
    catalog = create_catalog(actor=OVIM, name="local")
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "two.yml").write_text(GOOD.replace("name: ubuntu-24-04", "name: other"))
    hosts = {"ubuntu-24-04": "http://127.0.0.1/a", "other": "http://127.0.0.1/b"}
    assert sync_local(actor=OVIM, catalog=catalog, folder=tmp_path, image_urls=hosts) == []
    first = dict(CatalogItem.objects.values_list("name", "pk"))
    assert sync_local(actor=OVIM, catalog=catalog, folder=tmp_path, image_urls=hosts) == []
    assert dict(CatalogItem.objects.values_list("name", "pk")) == first

    (tmp_path / "one.yaml").write_text("kind: Nonsense\n")
    (tmp_path / "two.yml").unlink()
    errors = sync_local(actor=OVIM, catalog=catalog, folder=tmp_path, image_urls=hosts)
    assert errors
    assert set(CatalogItem.objects.values_list("name", flat=True)) == set(first), (
        "nothing goes while something is unread"
    )
    catalog.refresh_from_db()
    assert catalog.sync_errors[0]["file"] == "one.yaml"

    (tmp_path / "one.yaml").write_text(GOOD)
    assert sync_local(actor=OVIM, catalog=catalog, folder=tmp_path, image_urls=hosts) == []
    assert list(CatalogItem.objects.values_list("name", flat=True)) == ["ubuntu-24-04"]
    assert list(Image.objects.values_list("url", flat=True)) == ["http://127.0.0.1/a"]


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost/a", "http://127.0.0.1/a", "http://127.1/a", "http://2130706433/a", "http://0x7f.1/a",
        "http://[::1]/a", "http://[::ffff:127.0.0.1]/a", "http://169.254.169.254/a", "http://192.168.1.1/a",
        "http://10.1.2.3:8080/a", "http://[fe80::1]/a", "http://metadata.google.internal/a", "http://web/a",
        "http://0.0.0.0/a", "http://localhost./a",
        "http://a.example.org:99999/a", "file:///a", "gopher://a.example.org", "//a.example.org/a", "https:///a", "a",
        "http://a.example.org/a b", "http://u@a.example.org/a", "", "https://a.example.org/" + "a" * 1100, "http://[::1",
    ],
)  # fmt: skip
def test_addresses_that_are_refused(url):
    with pytest.raises(BadImage):
        check_url(url)


def test_listed_hosts_are_the_only_ones():
    assert check_url("http://127.0.0.1:8000/a", ("127.0.0.1",))
    assert check_url("https://images.example.org/a.img?x=1")
    with pytest.raises(BadImage, match="only"):
        check_url("https://images.example.org/a", ("127.0.0.1",))


def test_quantities_are_exact_or_refused():
    assert [mebibytes(text) for text in ("2Gi", "512Mi", "0.5Gi", "1048576", "1024Ki", "1Ti")] == [
        2048, 512, 512, 1, 1, 2**20,
    ]  # fmt: skip
    assert gibibytes("1.5Ti") == 1536
    assert (of_mebibytes(2048), of_mebibytes(1500)) == ("2Gi", "1500Mi")
    for text in ("1G", "1.0001Gi", "-1Gi", "Gi", "1gb", "1e", " 1Gi", "1Gi ", "٣Gi", "1e400", "", "1" * 40, "1\n"):
        with pytest.raises(NotExact):
            mebibytes(text)


def test_cloud_init_and_keys():
    assert check_user_data("") == ""
    assert check_ssh_key(KEY) == KEY
    for text in (
        "a: b",
        "#cloud-config\n[1]",
        "#cloud-config\na: b: c",
        "#cloud-config\n" + "[" * 5000,
        "#cloud-config\n\t- a",
    ):
        with pytest.raises(BadCloudInit):
            check_user_data(text)
    for key in (
        "",
        "ssh-ed25519",
        KEY + "\nssh-rsa AAAA",
        "ssh-dss AAAAB3NzaC1kc3MAAACBAAAAAAAA x",
        "command=x " + KEY,
    ):
        with pytest.raises(BadCloudInit):
            check_ssh_key(key)
