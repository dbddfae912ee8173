"""CDI's rules for where a DataVolume's data come from; a list, since an URL and its checksum are both told."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

Object = dict[str, Any]
INVALID = "FieldValueInvalid"
Cause = tuple[str, str, str]  # reason, message, field
CONTENTS = ("", "kubevirt", "archive")
CHECKSUMS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}
URLS = (("http", "HTTP"), ("s3", "S3"), ("gcs", "GCS"))
HEX = frozenset("0123456789abcdef")


def source_causes(source: Object, content: str) -> list[Cause]:
    for kind, word in URLS:
        if kind in source and len(source) == 1 and content in CONTENTS:
            found = (_url_cause(word, source[kind].get("url", "")), _checksum_cause(source[kind].get("checksum", "")))
            return [cause for cause in found if cause]
    cause = _source_cause(source, content)
    return [cause] if cause else []


def _source_cause(source: Object, content: str) -> Cause | None:
    if len(source) != 1:
        text = "Multiple Data volume sources" if source else "Missing Data volume source"
        return INVALID, text, "spec.source"
    if content not in CONTENTS:
        return INVALID, "ContentType not one of: kubevirt, archive", "spec.contentType"
    if "blank" in source and content == "archive":
        return INVALID, "SourceType cannot be blank and the contentType be archive", "spec.contentType"
    if "registry" in source:
        return _registry_cause(source["registry"], content)
    return _appliance_cause(source) or _clone_cause(source)


def reference_cause(reference: Object) -> Cause | None:
    kind = reference.get("kind", "")
    if not kind:
        return INVALID, "Missing sourceRef kind", "spec.sourceRef.Kind"
    if kind != "DataSource":
        text = f"Unsupported sourceRef kind {kind}, currently only DataSource is supported"
        return INVALID, text, "spec.sourceRef.Kind"
    return None if reference.get("name") else (INVALID, "Missing sourceRef name", "spec.sourceRef.Name")


def _url_cause(word: str, url: str) -> Cause | None:
    why, parts = "", urlsplit(url)
    if not url:
        why = "source URL is empty"
    elif not parts.scheme and not url.startswith("/"):
        why = f"Invalid source URL: {url}"
    elif parts.scheme not in ("http", "https", "gs"):
        why = f"Invalid source URL scheme: {url}"
    return (INVALID, f"spec.source {why}", f"spec.source.{word}.url") if why else None


def _checksum_cause(text: str) -> Cause | None:
    """Of an http source only: the others have no such field."""
    if not text:
        return None
    algorithm, colon, digest = (part.strip().lower() for part in text.partition(":"))
    size = CHECKSUMS.get(algorithm, 0)
    strange = next((char for char in digest if char not in HEX), "")
    why = ""
    if not colon:
        why = f"invalid checksum format: expected 'algorithm:hash', got '{text}'"
    elif not digest:
        why = "checksum hash value cannot be empty"
    elif not size:
        why = f"unsupported hash algorithm '{algorithm}': supported algorithms are: md5, sha1, sha256, sha512"
    elif len(digest) != size:
        why = f"invalid {algorithm} hash length: expected {size} hex characters, got {len(digest)}"
    elif strange:
        byte = f"U+{ord(strange):04X} '{strange}'"
        why = f"checksum hash is not valid hexadecimal: encoding/hex: invalid byte: {byte}"
    return (INVALID, f"Invalid checksum format: {why}", "spec.source.HTTP.checksum") if why else None


def _registry_cause(registry: Object, content: str) -> Cause | None:
    field = "spec.source.Registry"
    if content not in ("", "kubevirt"):
        return INVALID, "ContentType must be kubevirt when Source is Registry", "spec.contentType"
    url, stream, method = (registry.get(key) for key in ("url", "imageStream", "pullMethod"))
    if (url is None) == (stream is None):
        return INVALID, "Source registry should have either URL or ImageStream", field
    if url is not None and urlsplit(url).scheme not in ("docker", "oci-archive"):
        return INVALID, f"Illegal registry source URL scheme {url}", f"{field}.URL"
    text = ""
    if method not in (None, "pod", "node"):
        text = f'ImportMethod {method} is neither pod, node or ""'
    elif stream == "":
        text = "Source registry ImageStream is not valid"
    elif stream is not None and method != "node":
        text = "Source registry ImageStream is supported only with node pull import method"
    return (INVALID, text, f"{field}.importMethod") if text else None


def _appliance_cause(source: Object) -> Cause | None:
    """Sources that need an account on another virtualization manager."""
    for kind, word, needed in (
        ("imageio", "Imageio", ("secretRef", "diskId")),
        ("vddk", "VDDK", ("secretRef", "uuid", "backingFile", "thumbprint")),
    ):
        if kind not in source:
            continue
        field, given = f"spec.source.{word}", source[kind]
        if not all(given.get(key) for key in needed):
            return INVALID, f"{field} source {word} is not valid", field
        if kind == "imageio" and not given.get("certConfigMap") and not given.get("insecureSkipVerify"):
            return INVALID, f"{field} source Imageio requires CertConfigMap or InsecureSkipVerify", field
        return _url_cause("ImageIO" if kind == "imageio" else word, given.get("url", ""))
    return None


def _clone_cause(source: Object) -> Cause | None:
    for kind, field, word in (("pvc", "spec.source.PVC", "PVC"), ("snapshot", "spec.source.Snapshot", "snapshot")):
        if kind in source and not (source[kind].get("name") and source[kind].get("namespace")):
            return INVALID, f"{field} source {word} is not valid", field
    return None
