"""The verbs of the API on one cluster: a request in, an answer out."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import access, access_reviews, errors, patches, reads, wire
from clusters.sandbox.call import Call, User, dry_run_errors, write_options
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.deletes import options as delete_options
from clusters.sandbox.reads import Lister, Shape
from clusters.sandbox.routes import Target
from clusters.sandbox.store import Stored
from clusters.sandbox.subresources import Subresources
from clusters.sandbox.tokens import Tokens
from clusters.sandbox.wire import Answer, Request

Object = dict[str, Any]
VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb_of(method: str, target: Target, query: dict[str, str]) -> str:
    """The verb that RBAC and refusals speak of."""
    if method in {"GET", "HEAD"} and not target.name:
        watching = target.watch or query.get("watch", "").lower() in {"1", "true"}
        return "watch" if watching else "list"
    if method == "DELETE" and not target.name:
        return "deletecollection"
    return VERBS.get(method, method.lower())


class Api:
    """Requests on resources. Watches are not here: they live longer than one answer."""

    def __init__(self, cluster: Cluster, token: str, tokens: Tokens) -> None:
        self.cluster = cluster
        self.reviews = access_reviews.AccessReviews(cluster.store, token, tokens)
        self.lister = Lister(cluster.store)
        self.subresources = Subresources(cluster, tokens)

    def answer(self, request: Request, target: Target, user: User) -> Answer:
        method = request.method
        verb = verb_of(method, target, request.query)
        wish = access.wish_of(verb, target)
        access.require(self.cluster.store, user, wish)
        resource = target.resource
        call = Call(resource, target.namespace, target.name, target.subresource, user=user, raw=request.body)
        if resource.deprecation:
            call.warnings.append(resource.deprecation)
        try:
            if resource.group in access_reviews.GROUPS:
                return self.reviews.answer(request, call)
            return self._dispatch(request, target, call, verb)
        except errors.ApiError as problem:
            return wire.refusal(problem, call.warnings)

    def _dispatch(self, request: Request, target: Target, call: Call, verb: str) -> Answer:
        if target.subresource and not (target.subresource == "status" and target.resource.status):
            return self.subresources.answer(request, target, call)
        if verb in {"get", "list"}:
            return self._get(request, target, call) if target.name else self._list(request, target)
        if verb == "create":
            if target.name:
                raise errors.method_not_allowed()
            return self._create(request, target, call)
        if verb in {"update", "patch"} and not target.name:
            raise errors.method_not_allowed()
        if verb == "update":
            return self._update(request, call)
        if verb == "patch":
            return self._patch(request, call)
        if verb == "delete" and not target.subresource:
            return self._delete(request, call)
        if verb == "deletecollection":
            return self._delete_collection(request, target, call)
        raise errors.method_not_allowed()

    def _render(self, request: Request, call: Call, stored: Stored, code: int = 200) -> Answer:
        shape = wire.shape(request)
        return Answer(code, reads.one(call.resource, stored, shape), warnings=call.warnings)

    def _get(self, request: Request, target: Target, call: Call) -> Answer:
        version = request.query.get("resourceVersion", "")
        if version:
            self.lister.not_from_the_future(reads.parse_version(version))
        stored = self.cluster.writer.existing(call)
        return self._render(request, call, stored)

    def _list(self, request: Request, target: Target) -> Answer:
        shape = wire.shape(request)
        items, metadata = self.lister.page(target.resource, target.namespace, request.query)
        warnings = [target.resource.deprecation] if target.resource.deprecation else []
        return Answer(200, reads.render_list(target.resource, items, metadata, shape), warnings=warnings)

    def _create(self, request: Request, target: Target, call: Call) -> Answer:
        if target.resource.namespaced and target.namespace is None:
            raise errors.method_not_allowed()
        write_options(call, request.query, "CreateOptions", request.header("user-agent"))
        body = wire.document(request, target.resource.kind)
        return self._render(request, call, self.cluster.writer.create(call, body), 201)

    def _update(self, request: Request, call: Call) -> Answer:
        write_options(call, request.query, "UpdateOptions", request.header("user-agent"))
        body = wire.document(request, call.resource.kind)
        return self._render(request, call, self.cluster.writer.update(call, body))

    def _patch(self, request: Request, call: Call) -> Answer:
        media = request.content_type
        accepted = [patches.JSON, patches.MERGE]
        if not call.resource.custom:
            accepted.append(patches.STRATEGIC)
        accepted.append(patches.APPLY)
        if media not in {*accepted, patches.STRATEGIC}:
            raise errors.error(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        if media not in accepted:
            text = "the body of the request was in an unknown format - accepted media types include: "
            raise errors.error(415, "UnsupportedMediaType", text + ", ".join(accepted))
        apply = media == patches.APPLY
        write_options(call, request.query, "ApplyOptions" if apply else "PatchOptions", request.header("user-agent"))
        if apply:
            body = self._apply_body(request)
            stored, created = self.cluster.writer.apply(call, body)
            return self._render(request, call, stored, 201 if created else 200)
        patch = wire.parse(request.body, yaml_allowed=False)
        self._check_patch(media, request.body, patch)
        return self._render(request, call, self.cluster.writer.patch(call, media, patch))

    def _apply_body(self, request: Request) -> Object:
        body = wire.parse(request.body, yaml_allowed=True)
        if isinstance(body, dict):
            return body
        words = {list: "array", str: "string", int: "number", float: "number", bool: "bool"}
        word = words.get(type(body), "value")
        why = f"json: cannot unmarshal {word} into Go value of type map[string]interface {{}}"
        raise errors.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")

    def _check_patch(self, media: str, raw: bytes, patch: Any) -> None:
        if patch is None and raw.strip() != b"null":
            raise errors.bad_request("error decoding patch: unexpected end of JSON input")
        if media == patches.JSON and not isinstance(patch, list):
            raise errors.bad_request(
                "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
            )
        if media != patches.JSON and not isinstance(patch, dict):
            raise errors.bad_request(
                "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}"
            )

    def _delete(self, request: Request, call: Call) -> Answer:
        wish = self._delete_options(request, call)
        stored, gone = self.cluster.deleter.delete(call, wish)
        if not gone or call.resource.key == "services":
            return self._render(request, call, stored)
        return Answer(200, orjson.dumps(success(call, stored)), warnings=call.warnings)

    def _delete_options(self, request: Request, call: Call) -> Any:
        found = dry_run_errors(request.query)
        if found:
            raise errors.invalid("DeleteOptions", "meta.k8s.io", "", found)
        body = wire.parse(request.body, yaml_allowed=True) if request.body else None
        wish = delete_options(body if isinstance(body, dict) else None, request.query)
        call.dry_run = "dryRun" in request.query or bool(isinstance(body, dict) and body.get("dryRun"))
        return wish

    def _delete_collection(self, request: Request, target: Target, call: Call) -> Answer:
        if target.resource.namespaced and target.namespace is None:
            raise errors.method_not_allowed()
        if target.resource.key == "namespaces":
            raise errors.method_not_allowed()
        wish = self._delete_options(request, call)
        items, metadata = self.lister.page(target.resource, target.namespace, request.query)
        out = []
        for stored in items:
            one = Call(target.resource, target.namespace, stored.meta["name"], dry_run=call.dry_run, user=call.user)
            try:
                self.cluster.deleter.delete(one, wish)
            except errors.ApiError as problem:
                if problem.code != 404:
                    raise
                continue
            out.append(stored)  # as it was before
        shape = Shape()
        return Answer(200, reads.render_list(target.resource, out, metadata, shape))


def success(call: Call, stored: Stored) -> Object:
    resource = call.resource
    details: Object = {"name": call.name}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    details["uid"] = stored.meta["uid"]
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
