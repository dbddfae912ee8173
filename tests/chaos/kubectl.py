"""The cluster as others use it: a plain HTTP client under another name than OVIM's, and the sandbox's own controls."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
import urllib3

from clusters.kubeconfig import Access
from clusters.refs import Ref

MANAGER = "kubectl-edit"
Object = dict[str, Any]


class NotSeen(Exception):
    """The cluster did not show what it holds."""


class Kubectl:
    """`ask` answers status and body; 0 when there was no answer. Faults of the cluster hit it like anybody."""

    def __init__(self, access: Access) -> None:
        self.server = access.server
        self._http = urllib3.PoolManager(ca_cert_data=access.ca, retries=False, timeout=urllib3.Timeout(10))
        self._headers = {"Authorization": f"Bearer {access.token}"}

    def ask(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> tuple[int, Any]:
        data = None if body is None else orjson.dumps(body)
        headers = {**self._headers, "Content-Type": kind}
        try:
            answer = self._http.request(method, self.server + path, body=data, headers=headers)
            return answer.status, orjson.loads(answer.data) if answer.data else {}
        except (urllib3.exceptions.HTTPError, OSError, orjson.JSONDecodeError):
            return 0, {}

    def get(self, ref: Ref) -> Object | None:
        status, body = self.ask("GET", ref.path)
        return body if status == 200 else None

    def merge(self, ref: Ref, patch: Mapping[str, Any]) -> bool:
        path = f"{ref.path}?fieldManager={MANAGER}"
        return self.ask("PATCH", path, patch, "application/merge-patch+json")[0] == 200

    def delete(self, ref: Ref) -> bool:
        return self.ask("DELETE", ref.path)[0] in (200, 202)

    def make(self, body: Object, path: str) -> Object:
        status, made = self.ask("POST", f"{path}?fieldManager={MANAGER}", body)
        if status != 201:
            raise RuntimeError(f"{path}: {status} {made}")
        return dict(made)

    def control(self, verb: str, **order: Any) -> Any:
        """An order to the sandbox itself."""
        method = "GET" if verb == "show" else "POST"
        return self.ask(method, f"/_sandbox/{verb}", None if verb == "show" else order)[1]

    def everything(self, selector: str = "") -> Iterator[Object]:
        """Every object of every kind that can be listed, in each group's preferred version."""
        _, groups = self.ask("GET", "/apis")
        roots = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups["groups"])]
        for root in roots:
            for resource in self.ask("GET", root)[1].get("resources", ()):
                if "/" not in resource["name"] and "list" in (resource["verbs"] or ()):  # null: virt-api's
                    query = f"?labelSelector={selector}" if selector else ""
                    status, page = self.ask("GET", f"{root}/{resource['name']}{query}")
                    if status in (404, 405):
                        continue  # discovery is ahead of what is served
                    if status != 200:
                        raise NotSeen(f"{root}/{resource['name']} can't be listed: {status}")
                    version = root.removeprefix("/apis/").removeprefix("/api/")
                    for item in page["items"]:
                        yield {**item, "apiVersion": version, "kind": resource["kind"]}
