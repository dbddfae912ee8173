"""From a DataVolume's source to the download that fetches it: credentials, certificates and headers looked up."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

from clusters.sandbox.cdi.claims import Look
from clusters.sandbox.cdi.download import CONNECT, Download, Failure
from clusters.sandbox.cdi.registry import RegistryDownload
from clusters.sandbox.cdi.s3 import S3Download

Object = dict[str, Any]
FETCHED = ("http", "s3", "registry")


def secret(look: Look, namespace: str, name: str) -> dict[str, str]:
    """The Secret's texts; raises the failure of an importer pod that can't mount it."""
    found = look("secrets", namespace, name)
    if found is None:
        raise Failure(f'MountVolume.SetUp failed for volume "cdi-secret-vol" : secret "{name}" not found')
    return {key: b64decode(value).decode(errors="replace") for key, value in (found.get("data") or {}).items()}


def authorities(look: Look, namespace: str, name: str) -> str:
    found = look("configmaps", namespace, name)
    if found is None:
        raise Failure(f'MountVolume.SetUp failed for volume "cdi-cert-vol" : configmap "{name}" not found')
    return "\n".join((found.get("data") or {}).values())


def insecure(look: Look, host: str) -> bool:
    """Whether the CDI object lists the registry as insecure."""
    config = ((look("cdis.cdi.kubevirt.io", None, "cdi") or {}).get("spec") or {}).get("config") or {}
    return host in (config.get("insecureRegistries") or [])


def download(kind: str, source: Object, namespace: str, available: int, look: Look) -> Download:
    """The download of an http, s3 or registry source into a claim of `available` bytes."""
    keys = secret(look, namespace, source["secretRef"]) if source.get("secretRef") else {}
    user, password = keys.get("accessKeyId", ""), keys.get("secretKey", "")
    if kind == "registry":
        url = source.get("url") or ""
        if not url.startswith("docker://"):
            raise Failure(f"{CONNECT.format(kind)}only docker:// can be read in this cluster, not {url or 'nothing'}")
        host = url.removeprefix("docker://").partition("/")[0]
        return RegistryDownload(
            url,
            available,
            user=user,
            password=password,
            insecure=insecure(look, host),
            architecture=(source.get("platform") or {}).get("architecture") or "amd64",
        )
    trusted = authorities(look, namespace, source["certConfigMap"]) if source.get("certConfigMap") else ""
    if kind == "s3":
        return S3Download(source["url"], available, authorities=trusted, access_key=user, secret_key=password)
    headers = _headers(source.get("extraHeaders") or [])
    for name in source.get("secretExtraHeaders") or []:
        headers |= _headers(secret(look, namespace, name).values())
    if user:
        headers["Authorization"] = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    return Download(
        source["url"],
        available,
        headers=headers,
        checksum=source.get("checksum", ""),
        verify=not source.get("insecureSkipVerify"),
        authorities=trusted,
    )


def _headers(lines: Any) -> dict[str, str]:
    pairs = (str(line).partition(":") for line in lines)
    return {name.strip(): value.strip() for name, _, value in pairs}
