"""A person at a cluster with kubectl: known to it by the name that his token would say, which the sandbox takes from
impersonation as a real API server would."""

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.sandbox import TOKEN, Sandbox

RBAC = "/apis/rbac.authorization.k8s.io/v1"
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Kubectl:
    sandbox: Sandbox
    name: str

    def call(self, method: str, path: str, body: Any = None, media: str = "application/json") -> tuple[int, Any]:
        """Status and body of one answer."""
        request = urllib.request.Request(
            self.sandbox.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {TOKEN}", "Content-Type": media, "Impersonate-User": self.name},
        )
        try:
            with self.sandbox.open(request) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as refused:
            return refused.code, json.load(refused)

    def status(self, method: str, path: str, body: Any = None, media: str = "application/json") -> int:
        return self.call(method, path, body, media)[0]

    def sees(self, namespace: str, kind: str = "apis/kubevirt.io/v1/{}/virtualmachines") -> bool:
        return self.status("GET", "/" + kind.format(f"namespaces/{namespace}")) == 200


def bindings(sandbox: Sandbox, namespace: str) -> dict[str, list[str]]:
    """OVIM's role bindings in a namespace → the names of their subjects, in order."""
    found = sandbox.request("GET", f"{RBAC}/namespaces/{namespace}/rolebindings")["items"]
    ours = [item for item in found if item["metadata"].get("labels", {}).get("app.kubernetes.io/managed-by") == "ovim"]
    return {item["metadata"]["name"]: [one["name"] for one in item.get("subjects", ())] for item in ours}
