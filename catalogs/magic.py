"""What a file is, told from its first bytes: a disk image, surely none, or nobody can say. Pure."""

import codecs
import re
from dataclasses import dataclass
from enum import StrEnum

HEAD_BYTES = 33 * 1024  # an ISO's mark, the last one looked for, ends 32,774 bytes in


class Verdict(StrEnum):
    """`UNKNOWN` never holds anything up: CDI decides, as it would without us."""

    OK = "ok"
    NOT_AN_IMAGE = "not-an-image"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Judgement:
    """`what` names it: a format for OK, "an HTML page" for NOT_AN_IMAGE, the reason for UNKNOWN."""

    verdict: Verdict
    what: str


# (offset, bytes, name). The first match counts. Compressed files pass: what is in them CDI will see.
MARKS = (
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0, b"COWD", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0, b"vhdxfile", "vhdx"),
    (0, b"conectix", "vhd"),
    (0, b"QED\x00", "qed"),
    (64, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"\x1f\x8b", "gz"),
    (0, b"\xfd7zXZ\x00", "xz"),
    (0, b"\x28\xb5\x2f\xfd", "zst"),
    (0, b"BZh", "bz2"),
    (512, b"EFI PART", "raw, partitioned"),
    (4096, b"EFI PART", "raw, partitioned"),
    (510, b"\x55\xaa", "raw, bootable"),
    (32769, b"CD001", "iso"),
    (1080, b"\x53\xef", "raw, ext"),
    (0, b"XFSB", "raw, xfs"),
    (0, b"LUKS\xba\xbe", "raw, encrypted"),
    (512, b"LABELONE", "raw, lvm"),
)
FOREIGN = ((b"%PDF-", "a PDF document"), (b"PK\x03\x04", "a ZIP archive"), (b"\x7fELF", "a program"))
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_HTML = re.compile(r"\s*(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body|script|title|meta|h1|p|div)\b", re.I | re.S)
_XML = re.compile(r"\s*<(\?xml|[a-z_][\w.:-]*[\s/>])", re.I)
_JSON = re.compile(r"\s*[{\[]")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


def judge(head: bytes, *, content_type: str = "", encoded: bool = False) -> Judgement:
    """`head`: the first bytes, at most HEAD_BYTES. `encoded`: the server packed them for the way (Content-Encoding)."""
    if not head:
        return Judgement(Verdict.NOT_AN_IMAGE, "an empty file")
    found = next((name for at, mark, name in MARKS if head[at : at + len(mark)] == mark), "")
    if found and not encoded:
        return Judgement(Verdict.OK, found)
    what = next((name for mark, name in FOREIGN if head.startswith(mark)), "") or _text(head)
    if not what and content_type.partition(";")[0].strip().lower() in ("text/html", "application/xhtml+xml"):
        what = "an HTML page"
    if what:
        return Judgement(Verdict.NOT_AN_IMAGE, what)
    return Judgement(Verdict.UNKNOWN, "Its first bytes are of no format that OVIM knows.")


def _text(head: bytes) -> str:
    """What kind of text it is; empty when it is none. A disk of so many printable characters does not exist."""
    encoding = next((name for bom, name in _BOMS if head.startswith(bom)), "utf-8")
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(head[: HEAD_BYTES // 2 * 2])
    except UnicodeDecodeError:
        # An old page in Latin-1: its mark-up is ASCII all the same.
        return "an HTML page" if _HTML.match(head[:1024].decode("latin-1")) else ""
    if _CONTROLS.search(text):
        return ""
    for pattern, name in ((_HTML, "an HTML page"), (_XML, "an XML document"), (_JSON, "JSON")):
        if pattern.match(text):
            return name
    return "plain text"
