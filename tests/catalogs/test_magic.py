"""What a file is by its first bytes: what is surely no disk image is named, what nobody knows is left to CDI."""

import gzip
import itertools
import struct

import pytest

from catalogs.magic import HEAD_BYTES, Verdict, judge

ZEROS = bytes(HEAD_BYTES)


def at(offset: int, mark: bytes) -> bytes:
    return (ZEROS[:offset] + mark + ZEROS)[:HEAD_BYTES]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"QFI\xfb\x00\x00\x00\x03", "qcow2"),
        (b"KDMV" + bytes(512), "vmdk"),
        (b"# Disk DescriptorFile\nversion=1\n", "vmdk"),
        (b"<<< Oracle VM VirtualBox Disk Image >>>\n".ljust(64, b"\0") + struct.pack("<I", 0xBEDA107F), "vdi"),
        (b"vhdxfile" + bytes(512), "vhdx"),
        (b"conectix" + bytes(512), "vhd"),
        (gzip.compress(b"x" * 4096), "gz"),
        (b"\xfd7zXZ\x00" + bytes(64), "xz"),
        (b"\x28\xb5\x2f\xfd" + bytes(64), "zst"),
        (b"BZh91AY", "bz2"),
        (at(510, b"\x55\xaa"), "raw, bootable"),
        (at(512, b"EFI PART"), "raw, partitioned"),
        (at(32769, b"CD001"), "iso"),
        (at(1080, b"\x53\xef"), "raw, ext"),
    ],
    ids=itertools.count(),
)
def test_a_disk_image_is_recognised_whatever_the_server_calls_it(head, name):
    for content_type in ("", "application/octet-stream", "text/html; charset=utf-8"):
        found = judge(head, content_type=content_type)
        assert (found.verdict, found.what) == (Verdict.OK, name)


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"", "an empty file"),
        (b"<!doctype html><title>Sign in</title>", "an HTML page"),
        (b"\xef\xbb\xbf\n <!-- a comment -->\n<HTML><body>", "an HTML page"),
        ("<!DOCTYPE html><p>über</p>".encode("latin-1"), "an HTML page"),
        ("<html>".encode("utf-16"), "an HTML page"),
        (b"<!DOCTYPE html>" + b"\xc3\xbc" * HEAD_BYTES, "an HTML page"),
        (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
        (b"<Error><Code>NoSuchKey</Code></Error>", "an XML document"),
        (b'{"error": "not found"}', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "plain text"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "a PDF document"),
        (b"PK\x03\x04\x14\x00", "a ZIP archive"),
    ],
    ids=itertools.count(),
)
def test_what_is_surely_no_disk_image_is_named(head, what):
    found = judge(head[:HEAD_BYTES])
    assert (found.verdict, found.what) == (Verdict.NOT_AN_IMAGE, what)


def test_a_page_packed_for_the_way_is_known_by_what_the_server_says_it_is():
    packed = gzip.compress(b"<html>")
    assert judge(packed, content_type="text/html", encoded=True).what == "an HTML page"
    assert judge(packed, content_type="application/octet-stream", encoded=True).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "head", [ZEROS, bytes(range(256)) * 64, b"\x00\x01\x02", b"hello\x00world"], ids=itertools.count()
)
def test_odd_bytes_are_nobodys_to_refuse(head):
    assert judge(head).verdict is Verdict.UNKNOWN
