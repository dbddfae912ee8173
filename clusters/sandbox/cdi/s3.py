"""The importer for s3: one signed GET (Signature Version 4, path style), as CDI's AWS client sends it."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import IO, Any
from urllib.parse import quote, urlsplit

import urllib3

from clusters.sandbox.cdi.download import CONNECT, Download, Failure

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = hashlib.sha256(b"").hexdigest()
ERROR = re.compile(r"<(Code|Message)>([^<]*)</")


def region_of(host: str) -> str:
    """The region in the host's name, else its first label: how CDI guesses it."""
    found = re.search(r"s3\.(.+)\.amazonaws\.com", host)
    return found.group(1) if found else host.split(".", maxsplit=1)[0].partition(":")[0]


def signed(url: str, access_key: str, secret_key: str, moment: datetime) -> dict[str, str]:
    """Headers that authenticate a GET of that URL."""
    parts = urlsplit(url)
    region = region_of(parts.netloc)
    stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
    headers = {"host": parts.netloc, "x-amz-content-sha256": UNSIGNED, "x-amz-date": stamp}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join(("GET", quote(parts.path), parts.query, lines, names, UNSIGNED))
    scope = f"{day}/{region}/s3/aws4_request"
    text = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    credential = f"Credential={access_key}/{scope}"
    return {
        "x-amz-content-sha256": UNSIGNED,
        "x-amz-date": stamp,
        "Authorization": f"{ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}",
    }


@dataclass
class S3Download(Download):
    access_key: str = ""
    secret_key: str = ""

    kind = "s3"

    def _fetch(self, spool: IO[bytes], digest: Any) -> None:
        if self.access_key:
            self.headers = signed(self.url, self.access_key, self.secret_key, datetime.now(UTC))
        super()._fetch(spool, digest)

    def _refused(self, response: urllib3.BaseHTTPResponse) -> Failure:
        told = dict(ERROR.findall(response.read(4096).decode(errors="replace")))
        code = told.get("Code") or {403: "Forbidden", 404: "NotFound"}.get(response.status, response.reason or "")
        text = f"{code}: {told.get('Message', response.reason)}\n\tstatus code: {response.status}"
        return Failure(f"{CONNECT.format('s3')}could not get s3 object: {self._object()}: {text}")

    def _object(self) -> str:
        return f'"{urlsplit(self.url).path.strip("/")}"'
