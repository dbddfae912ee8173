"""How an organization looks: colours that can be read, logos that are pictures, shown where they belong and safely."""

import base64
import re
import struct
import zlib
from pathlib import Path

import pytest
from django.test import Client

from tenancy import branding
from tenancy.models import OrganizationLogo
from tests.portal import browser, text

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width=2, height=1):
    rows = b"".join(b"\0" + b"\xff\0\0" * width for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def jpeg(width=3, height=2):
    app = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\x01\x11\0"
    return b"\xff\xd8" + app + frame + b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + b"\0" + b"\xff\xd9"


def webp(width=5, height=4):
    bits = (width - 1) | (height - 1) << 14
    body = b"VP8L" + struct.pack("<I", 5) + b"\x2f" + struct.pack("<I", bits) + b"\0"
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def put(client, organization, data, **headers):
    body = {"picture": base64.b64encode(data).decode()}
    return client.request("put", f"organizations/{organization.pk}/logo", body, **headers)


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [(png(), "image/png", (2, 1)), (jpeg(), "image/jpeg", (3, 2)), (webp(), "image/webp", (5, 4))],
)
def test_a_picture_is_known_by_its_bytes_and_comes_back_as_it_was(api, acme, data, kind, size):
    alice = api("alice")
    answer = put(alice, acme, data)
    assert answer.status_code == 200, answer.content
    row = OrganizationLogo.objects.get()
    assert (row.media_type, row.width, row.height) == (kind, *size)
    assert answer.json()["logo"] == row.digest
    shown = Client().get("/branding/acme/logo")
    assert (shown.status_code, shown.content) == (200, data)
    assert shown.headers["Content-Type"] == kind
    assert shown.headers["X-Content-Type-Options"] == "nosniff"
    assert shown.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "picture"),
        (b"<html>", "picture"),
        (b"", "blank"),
        (b"GIF89a\x01\0\x01\0", "picture"),
        (png()[:-5], "picture"),
        (png() + b"<script>alert(1)</script>", "picture"),
        (png().replace(b"IDAT", b"IDAX"), "picture"),
        (b"\x89PNG\r\n\x1a\n", "picture"),
        (jpeg()[:-2], "picture"),
        (b"\xff\xd8\xff\xd9", "picture"),
        (webp() + b"x", "picture"),
        (b"RIFF\x04\0\0\0WEBP", "picture"),
        (png(1025, 1), "size"),
        (png() + b"\0" * branding.LARGEST, "too_large"),
    ],
)
def test_what_is_no_picture_is_refused(api, acme, data, rule):
    answer = put(api("alice"), acme, data)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "picture")
    assert answer.json()["errors"][0]["rule"] == rule
    assert not OrganizationLogo.objects.exists()


def test_who_may_and_when(api, acme):
    assert put(api("charlie"), acme, png()).status_code == 404
    assert put(api("vera"), acme, png()).status_code == 403
    alice = api("alice")
    assert put(alice, acme, png(), If_Match='"9"').status_code == 412
    assert put(alice, acme, png(), If_Match='"1"').headers["ETag"] == '"2"'
    assert put(alice, acme, png()).headers["ETag"] == '"2"', "the same one changes nothing"
    assert (
        alice.request("put", f"organizations/{acme.pk}/logo", {"picture": "mþ"}).json()["errors"][0]["rule"] == "base64"
    )
    assert alice.delete(f"organizations/{acme.pk}/logo").json()["logo"] is None
    assert Client().get("/branding/acme/logo").status_code == 404


def test_surfaces_are_those_of_the_styles():
    css = (ROOT / "static/css/tokens.css").read_text()
    for token in ("page", "surface", "sunken"):
        light, dark = re.findall(rf"--{token}: light-dark\((#\w+), (#\w+)\)", css)[0]
        assert light in branding.SURFACES["accent_light"]
        assert dark in branding.SURFACES["accent_dark"]
    assert sum(map(len, branding.SURFACES.values())) == 6


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#000000", "#ffffff", 21), ("#777777", "#ffffff", 4.48), ("#123456", "#123456", 1)]
)
def test_contrast_is_that_of_wcag(one, other, ratio):
    assert branding.contrast(one, other) == pytest.approx(ratio, abs=0.005)
    assert branding.contrast(other, one) == branding.contrast(one, other)


@pytest.mark.parametrize(
    ("field", "colour", "rule"),
    [
        ("accent_light", "#ffcc00", "contrast"),
        ("accent_light", "#777777", "contrast"),
        ("accent_dark", "#1d5bc9", "contrast"),
        ("accent_light", "red", "colour"),
        ("accent_light", "#1D5BC9", "colour"),
        ("accent_dark", "#12345", "colour"),
        ("accent_dark", "#1;}*{x", "colour"),
    ],
)
def test_a_colour_that_cannot_be_read_is_refused(api, acme, field, colour, rule):
    answer = api("alice").patch(f"organizations/{acme.pk}", {field: colour})
    error = answer.json()["errors"][0]
    assert (answer.status_code, error["field"], error["rule"]) == (422, field, rule)
    if rule == "contrast":
        assert "4.5 is the least" in error["message"]


def test_it_is_shown_in_the_frame_of_its_people_and_of_nobody_else(api, acme, globex):
    alice = api("alice")
    put(alice, acme, png())
    alice.patch(f"organizations/{acme.pk}", {"accent_light": "#8a1f5c", "accent_dark": "#ff9ad5"})
    page = browser("alice").get("/vms/")
    html = page.content.decode()
    assert '<img src="/branding/acme/logo?v=' in html
    style = re.findall(r'href="(/branding/acme/style.css[^"]*)"', html)[0].replace("&amp;", "&")
    css = Client().get(style)
    assert css.content.decode() == ":root { --brand: light-dark(#8a1f5c, #ff9ad5); }\n"
    assert css.headers["Content-Type"] == "text/css"
    assert "style-src 'self'" in page.headers["Content-Security-Policy"]
    assert "style=" not in html
    assert "/branding/" not in browser("charlie").get("/vms/").content.decode()
    root = browser("root")
    assert "/branding/" not in root.get("/vms/").content.decode()
    assert "/branding/acme/" in root.get(f"/vms/?org={acme.pk}").content.decode()


def test_it_is_shown_where_its_people_sign_in(api, acme):
    put(api("alice"), acme, png())
    page = Client().get("/sign-in/acme/").content.decode()
    assert ('<img src="/branding/acme/logo?v=' in page, "<span>Acme</span>" in page) == (True, True)
    for address in ("/sign-in/", "/sign-in/nope/"):
        assert "/branding/" not in Client().get(address).content.decode()


def test_one_without_any_looks_as_the_portal(acme):
    html = browser("alice").get("/vms/").content.decode()
    assert ("/branding/" in html, "OVIM" in html) == (False, True)


def test_nobody_learns_which_organizations_there_are(acme):
    there, not_there = (Client().get(f"/branding/{name}/style.css") for name in ("acme", "nope"))
    assert there.content == not_there.content
    assert [Client().get(f"/branding/{name}/logo").status_code for name in ("acme", "nope")] == [404, 404]


def test_the_portal_takes_a_file_and_lets_go_of_it(acme, tmp_path):
    alice = browser("alice")
    page = f"/orgs/{acme.pk}/logo/"
    assert "the portal shows its own" in text(alice.get(page))
    for name, data, status in (("a.png", b"<svg/>", 422), ("a.svg", png(), 302)):
        file = tmp_path / name
        file.write_bytes(data)
        with file.open("rb") as opened:
            assert alice.post(page, {"logo": opened}).status_code == status
    assert "/branding/acme/logo" in alice.get(page).content.decode()
    assert alice.post(page, {"remove": "1"}).status_code == 302
    assert not OrganizationLogo.objects.exists()
    assert alice.post(page, {}).status_code == 422


def test_settings_have_contacts_and_colours(acme):
    alice = browser("alice")
    page = f"/orgs/{acme.pk}/edit/"
    given = {"display_name": "Acme", "technical_contact_name": "Tess", "technical_contact_email": "tess@example.org"}
    assert alice.fill(page, **given, accent_light="#ffff00").status_code == 422
    assert alice.fill(page, **given, accent_light="#8a1f5c").status_code == 302
    acme.refresh_from_db()
    assert (acme.technical_contact_name, acme.technical_contact_email, acme.accent_light) == (
        "Tess",
        "tess@example.org",
        "#8a1f5c",
    )
    assert "Tess tess@example.org" in text(alice.get(f"/orgs/{acme.pk}/"))
