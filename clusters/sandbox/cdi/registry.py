"""The importer for registries: a disk image out of a container image, over the distribution protocol.

Manifest (by platform, when there are several), then layer by layer until one holds a file under disk/; every blob is
checked against its digest. Messages: pkg/importer of CDI 1.66 around containers/image.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import tempfile
from base64 import b64encode
from dataclasses import dataclass, field
from typing import IO, Any, cast

import orjson
import urllib3

from clusters.sandbox.cdi.download import CHUNK, PROCESS, TIMEOUT, Download, Failure, unreachable_reason

Object = dict[str, Any]
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
READ = "Unable to transfer source data to scratch space: Failed to read registry image: "
RETRIEVE = READ + "Error retrieving image: "
PARAMETER = re.compile(r'(\w+)="([^"]*)"')
REFERENCE = re.compile(r"^(?:docker://)?([^/]+)/([^@]+?)(?::([\w][\w.-]*))?(?:@(sha256:[0-9a-f]{64}))?$")


class Registry:
    """One repository of one registry, with whatever token it asks for."""

    def __init__(self, url: str, *, user: str = "", password: str = "", insecure: bool = False) -> None:
        found = REFERENCE.match(url)
        if found is None:
            raise Failure(f"{PROCESS}{RETRIEVE}Could not parse image: invalid reference format")
        self.host, self.repository = found.group(1), found.group(2)
        self.reference = found.group(4) or found.group(3) or "latest"
        self.credentials = (user, password) if user else None
        self.schemes = ("https", "http") if insecure else ("https",)
        self.pool = urllib3.PoolManager(cert_reqs="CERT_NONE" if insecure else "CERT_REQUIRED", retries=False)
        self.token = ""

    def get(self, path: str, accept: str = "*/*") -> urllib3.BaseHTTPResponse:
        """A GET below the repository, after the challenge that a first try may meet."""
        response = self._ask(path, accept)
        if response.status == 401 and not self.token:
            self._authenticate(response.headers.get("WWW-Authenticate", ""))
            response = self._ask(path, accept)
        return response

    def _ask(self, path: str, accept: str) -> urllib3.BaseHTTPResponse:
        headers = {"Accept": accept} | ({"Authorization": self.token} if self.token else {})
        for last, scheme in enumerate(self.schemes, start=1):
            url = f"{scheme}://{self.host}/v2/{self.repository}/{path}"
            try:
                return self.pool.request("GET", url, headers=headers, preload_content=False, timeout=TIMEOUT)
            except urllib3.exceptions.HTTPError as error:
                if last == len(self.schemes):
                    why = f'Get "{scheme}://{self.host}/v2/": {unreachable_reason(url, error)}'
                    text = f"initializing source docker://{self.host}/{self.repository}: pinging container registry "
                    raise Failure(f"{PROCESS}{RETRIEVE}{text}{self.host}: {why}") from error
        raise AssertionError("no scheme to try")

    def _authenticate(self, challenge: str) -> None:
        basic = ""
        if self.credentials:
            basic = "Basic " + b64encode(":".join(self.credentials).encode()).decode()
        if challenge.lower().startswith("basic"):
            self.token = basic
            return
        told = dict(PARAMETER.findall(challenge))
        if "realm" not in told:
            return
        fields = {"service": told.get("service", ""), "scope": f"repository:{self.repository}:pull"}
        headers = {"Authorization": basic} if basic else {}
        try:
            answer = self.pool.request("GET", told["realm"], fields=fields, headers=headers, timeout=TIMEOUT)
        except urllib3.exceptions.HTTPError as error:
            raise Failure(f"{PROCESS}{RETRIEVE}{unreachable_reason(told['realm'], error)}") from error
        if answer.status == 200:
            body = orjson.loads(answer.data)
            self.token = f"Bearer {body.get('token') or body.get('access_token')}"

    def manifest(self, reference: str = "") -> tuple[Object, str]:
        """The manifest or index of a reference, and its digest."""
        wanted = reference or self.reference
        with self.get(f"manifests/{wanted}", ", ".join((*INDEXES, *MANIFESTS))) as response:
            raw = response.read()
        if response.status != 200:
            why = {401: "unauthorized: authentication required", 403: "denied: requested access is denied"}
            text = why.get(response.status, "manifest unknown")
            name = f"{self.host}/{self.repository}"
            raise Failure(f"{PROCESS}{RETRIEVE}reading manifest {wanted} in {name}: {text}")
        return orjson.loads(raw), "sha256:" + hashlib.sha256(raw).hexdigest()


@dataclass
class RegistryDownload(Download):
    user: str = ""
    password: str = ""
    insecure: bool = False
    architecture: str = "amd64"
    layers: list[Object] = field(default_factory=list)

    kind = "registry"
    needs_scratch = True

    def _fetch(self, spool: IO[bytes], digest: Any) -> None:
        registry = Registry(self.url, user=self.user, password=self.password, insecure=self.insecure)
        manifest, _ = registry.manifest()
        if "manifests" in manifest:
            manifest, _ = registry.manifest(self._platform(manifest["manifests"])["digest"])
        self.layers = manifest.get("layers") or []
        self.expected = sum(int(layer.get("size", 0)) for layer in self.layers)
        for layer in self.layers:
            with tempfile.TemporaryFile() as blob:
                self._blob(registry, layer, blob)
                if self._disk(blob, spool, digest):
                    return
        raise Failure(PROCESS + READ + "Failed to find VM disk image file in the container image")

    def _platform(self, manifests: list[Object]) -> Object:
        for item in manifests:
            platform = item.get("platform") or {}
            if platform.get("os", "linux") == "linux" and platform.get("architecture") == self.architecture:
                return item
        text = f"no image found in image index for architecture {self.architecture}"
        raise Failure(f"{PROCESS}{RETRIEVE}choosing image instance: {text}")

    def _blob(self, registry: Registry, layer: Object, blob: IO[bytes]) -> None:
        own = hashlib.sha256()
        with registry.get(f"blobs/{layer['digest']}") as response:
            if response.status != 200:
                raise Failure(f"{PROCESS}{READ}Could not read layer: fetching blob: status {response.status}")
            while chunk := response.read(CHUNK):
                self._arrived(chunk)
                own.update(chunk)
                blob.write(chunk)
        if layer["digest"] != "sha256:" + own.hexdigest():
            raise Failure(f"{PROCESS}{READ}Could not read layer: Digest did not match, expected {layer['digest']}")
        blob.seek(0)

    def _disk(self, blob: IO[bytes], spool: IO[bytes], digest: Any) -> bool:
        """Copies the first file under disk/ of a layer; False when it has none."""
        try:
            with tarfile.open(fileobj=blob) as archive:
                for member in archive:
                    if member.isfile() and member.name.removeprefix("./").startswith("disk/"):
                        source = cast("IO[bytes]", archive.extractfile(member))
                        while chunk := source.read(CHUNK):
                            spool.write(chunk)
                            if digest is not None:
                                digest.update(chunk)
                        return True
        except tarfile.TarError as error:
            raise Failure(f"{PROCESS}{READ}Could not read layer: {error}") from error
        return False
