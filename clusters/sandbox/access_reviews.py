"""Questions about rights and identity: answered at once from the stored RBAC objects, never stored (k8s-transcript 11)."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import bodies, errors, rbac, wire
from clusters.sandbox.call import Call, User, now, write_options
from clusters.sandbox.errors import FieldError
from clusters.sandbox.managers import Tracker
from clusters.sandbox.rbac import Wish
from clusters.sandbox.store import Store
from clusters.sandbox.tokens import AUDIENCE, Tokens
from clusters.sandbox.wire import Answer, Request

Object = dict[str, Any]
GROUPS = ("authorization.k8s.io", "authentication.k8s.io")
UNOWNED = ("SelfSubjectRulesReview", "SelfSubjectReview")  # kinds whose answers carry no managedFields


class AccessReviews:
    """POST of SubjectAccessReview and its kin, TokenReview and SelfSubjectReview."""

    def __init__(self, store: Store, token: str, tokens: Tokens) -> None:
        self.store = store
        self.token = token
        self.tokens = tokens
        self.kinds = {
            "SelfSubjectAccessReview": self._self_access,
            "SubjectAccessReview": self._access,
            "LocalSubjectAccessReview": self._local_access,
            "SelfSubjectRulesReview": self._rules,
            "SelfSubjectReview": self._self,
            "TokenReview": self._token,
        }

    def answer(self, request: Request, call: Call) -> Answer:
        if request.method != "POST" or call.name:
            raise errors.method_not_allowed()
        write_options(call, request.query, "CreateOptions", request.header("user-agent"))
        resource = call.resource
        obj = bodies.decode(call, wire.document(request, resource.kind))
        obj.pop("status", None)
        entries = Tracker(resource.node, resource.api_version, "", False, now()).created(obj, call.manager)
        meta = obj["metadata"] = {k: v for k, v in obj["metadata"].items() if k not in {"managedFields", "uid"}}
        if call.namespace:
            meta["namespace"] = call.namespace
        obj["status"] = self.kinds[resource.kind](call, obj)
        if resource.kind not in UNOWNED:
            if entries:
                meta["managedFields"] = entries
        elif resource.kind == "SelfSubjectReview":
            meta["creationTimestamp"] = now()
        order = ("kind", "apiVersion", "metadata", "spec", "status")
        return Answer(201, orjson.dumps({key: obj[key] for key in order if key in obj}), warnings=call.warnings)

    def _self_access(self, call: Call, obj: Object) -> Object:
        return self._verdict(call, obj["spec"], call.user)

    def _access(self, call: Call, obj: Object) -> Object:
        spec = obj["spec"]
        return self._verdict(call, spec, _subject(spec))

    def _local_access(self, call: Call, obj: Object) -> Object:
        spec = obj["spec"]
        return self._verdict(call, spec, _subject(spec))

    def _verdict(self, call: Call, spec: Object, user: User) -> Object:
        found = review_errors(call.resource.kind, call.namespace, spec)
        if found:
            raise errors.invalid("", call.resource.group, "", found)
        verdict = rbac.judge(self.store, user, _wish(spec))
        status: Object = {"allowed": verdict.allowed}
        if verdict.reason:
            status["reason"] = verdict.reason
        return status

    def _rules(self, call: Call, obj: Object) -> Object:
        namespace = obj["spec"].pop("namespace", "")
        if not namespace:
            raise errors.bad_request("no namespace on request")
        granted = rbac.resolve(self.store, call.user, namespace)
        rules = [rule for rule, _ in granted.rules]
        resources, urls = ("verbs", "apiGroups", "resources", "resourceNames"), ("verbs", "nonResourceURLs")
        status: Object = {
            "resourceRules": [_part(rule, resources) for rule in rules if rule.get("resources")],
            "nonResourceRules": [_part(rule, urls) for rule in rules if rule.get("nonResourceURLs")],
            "incomplete": bool(granted.missing),
        }
        if granted.missing:
            status["evaluationError"] = granted.problem
        return status

    def _self(self, call: Call, _obj: Object) -> Object:
        return {"userInfo": call.user.info()}

    def _token(self, call: Call, obj: Object) -> Object:
        spec = obj["spec"]
        value = spec.get("token", "")
        if not value:
            raise errors.bad_request("token is required for TokenReview in authentication")
        for audience in spec.get("audiences") or [AUDIENCE]:
            user = User() if value == self.token and audience == AUDIENCE else self.tokens.user(value, audience)
            if user is not None:
                return {"authenticated": True, "user": user.info(), "audiences": [audience]}
        return {"user": {}, "error": "invalid bearer token"}


def _part(rule: Object, names: tuple[str, ...]) -> Object:
    return {name: rule[name] for name in names if rule.get(name)}


def _subject(spec: Object) -> User:
    groups = tuple(spec.get("groups") or ())
    return User(spec.get("user", ""), groups, admin=rbac.MASTERS in groups)


def review_errors(kind: str, namespace: str | None, spec: Object) -> list[FieldError]:
    """What is wrong with a question; the refusal names its group and not its kind."""
    found = spec.get("resourceAttributes")
    path = spec.get("nonResourceAttributes")
    shown = orjson.dumps({name.title(): path.get(name, "") for name in ("path", "verb")}).decode() if path else "null"
    out: list[FieldError] = []
    if found is not None and path is not None:
        why = f"{shown}: cannot be specified in combination with resourceAttributes"
        out.append(FieldError("Invalid value", "spec.nonResourceAttributes", why))
    if found is None and path is None:
        why = "null: exactly one of nonResourceAttributes or resourceAttributes must be specified"
        out.append(FieldError("Invalid value", "spec.resourceAttributes", why))
    if kind != "SelfSubjectAccessReview" and not spec.get("user") and not spec.get("groups"):
        out.append(FieldError("Invalid value", "spec.user", '"": at least one of user or group must be specified'))
    for name in ("fieldSelector", "labelSelector"):
        out += _selector_errors((found or {}).get(name), f"spec.resourceAttributes.{name}")
    if kind == "LocalSubjectAccessReview" and found is not None and found.get("namespace", "") != namespace:
        why = f'"{found.get("namespace", "")}": must match metadata.namespace'
        out.append(FieldError("Invalid value", "spec.resourceAttributes.namespace", why))
    if kind == "LocalSubjectAccessReview" and path is not None:
        out.append(
            FieldError("Invalid value", "spec.nonResourceAttributes", f"{shown}: disallowed on this kind of request")
        )
    return out


def _selector_errors(selector: Any, path: str) -> list[FieldError]:
    if not isinstance(selector, dict):
        return []
    raw, requirements = selector.get("rawSelector"), selector.get("requirements")
    if raw and requirements:
        text = f"{orjson.dumps(raw).decode()}: may not specified at the same time as requirements"
        return [FieldError("Invalid value", f"{path}.rawSelector", text)]
    if not raw and not requirements:
        text = f"when {path} is specified, requirements or rawSelector is required"
        return [FieldError("Required value", f"{path}.requirements", text)]
    return []


def _wish(spec: Object) -> Wish:
    found: Object = spec.get("resourceAttributes") or {}
    path: Object | None = spec.get("nonResourceAttributes")
    if path is not None:
        return Wish(path.get("verb", ""), path=path.get("path", "") or "/")
    words = (found.get(key, "") for key in ("verb", "group", "resource", "subresource", "namespace", "name"))
    return Wish(*words)
