"""The verbs of the API on one cluster: a request in, an answer out."""

from __future__ import annotations

from typing import Any

import orjson

from clusters.sandbox import (
    access,
    access_reviews,
    deletes,
    errors,
    jsontext,
    negotiation,
    patches,
    reads,
    strategies,
    wire,
)
from clusters.sandbox.call import Call, User, truth, write_options
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.deletes import DeleteOptions
from clusters.sandbox.questions import Memory
from clusters.sandbox.reads import Lister
from clusters.sandbox.routes import Target
from clusters.sandbox.store import Stored
from clusters.sandbox.subresources import Subresources, unsupported
from clusters.sandbox.tokens import Tokens
from clusters.sandbox.wire import Answer, Request

Object = dict[str, Any]
OPERATION = {"op", "path", "from", "value"}  # the fields of one step of a JSON patch
VERBS = {"GET": "get", "HEAD": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


def verb_of(method: str, target: Target, query: dict[str, str]) -> str:
    """The verb that RBAC and refusals speak of."""
    if method in {"GET", "HEAD"} and not target.name:
        watching = target.watch or truth(query, "watch")
        return "watch" if watching else "list"
    if method == "DELETE" and not target.name:
        return "deletecollection"
    return VERBS.get(method, method.lower())


def settle(request: Request, target: Target) -> None:
    """Settles in which shape the request is to be answered, before anything else is looked at."""
    accept = request.header("accept")
    if not target.resource.custom:
        negotiation.routed(accept, listing=request.method in {"GET", "HEAD"} and not target.name)
    request.shape = negotiation.shape(accept, request.query.get("includeObject", ""))


class Api:
    """Requests on resources. Watches are not here: they live longer than one answer."""

    def __init__(self, cluster: Cluster, token: str, tokens: Tokens) -> None:
        self.cluster = cluster
        self.reviews = access_reviews.AccessReviews(cluster.store, token, tokens)
        self.lister = Lister(cluster.store)
        self.subresources = Subresources(cluster, tokens)

    def answer(self, request: Request, target: Target, user: User, memory: Memory | None = None) -> Answer:
        method = request.method
        verb = verb_of(method, target, request.query)
        wish = access.wish_of(verb, target, request.query)
        access.require(self.cluster.store, user, wish)
        resource = target.resource
        settle(request, target)
        call = Call(resource, target.namespace, target.name, target.subresource, user=user, raw=request.body)
        call.memory = memory
        if resource.deprecation:
            call.warnings.append(resource.deprecation)
        try:
            if resource.group in access_reviews.GROUPS:
                return self.reviews.answer(request, call)
            served = self.subresources.served(request, target, call)
            return served if served is not None else self._dispatch(request, target, call, verb)
        except errors.ApiError as problem:
            return wire.refusal(problem, call.warnings)

    def _dispatch(self, request: Request, target: Target, call: Call, verb: str) -> Answer:
        if target.subresource and not strategies.is_view(target.resource, target.subresource):
            return self.subresources.answer(request, target, call)
        if verb in {"get", "list"}:
            return self._get(request, target, call) if target.name else self._list(request, target)
        if verb == "deletecollection":
            return self._delete_collection(request, target, call)
        self._allowed(request, target, call, verb)
        if verb == "create":
            return self._create(request, target, call)
        if verb == "update":
            return self._update(request, call)
        return self._patch(request, call) if verb == "patch" else self._delete(request, call)

    def _allowed(self, request: Request, target: Target, call: Call, verb: str) -> None:
        """Refuses methods that a path does not have; one of a custom resource can be made by a POST to itself."""
        if target.subresource and verb in {"create", "delete"} and target.resource.custom:
            raise unsupported(request.method, call)
        named = target.resource.custom if verb == "create" else True
        if verb not in {"create", "update", "patch", "delete"} or (target.name and not named):
            raise errors.method_not_allowed()
        if verb in {"update", "patch"} and not target.name:
            raise errors.method_not_allowed()
        if verb == "delete" and target.subresource:
            raise errors.method_not_allowed()

    def _render(self, request: Request, call: Call, stored: Stored, code: int = 200) -> Answer:
        return Answer(code, reads.one(call.resource, stored, request.shape), warnings=call.warnings)

    def _get(self, request: Request, target: Target, call: Call) -> Answer:
        version = request.query.get("resourceVersion", "")
        if version:
            self.lister.not_from_the_future(reads.parse_version(version))
        stored = self.cluster.writer.existing(call)
        return self._render(request, call, stored)

    def _list(self, request: Request, target: Target) -> Answer:
        items, metadata = self.lister.page(target.resource, target.namespace, request.query)
        warnings = [target.resource.deprecation] if target.resource.deprecation else []
        return Answer(200, reads.render_list(target.resource, items, metadata, request.shape), warnings=warnings)

    def _create(self, request: Request, target: Target, call: Call) -> Answer:
        if target.resource.namespaced and target.namespace is None:
            raise errors.method_not_allowed()
        write_options(call, request.query, "CreateOptions", request.header("user-agent"))
        body = wire.document(request, target.resource.kind)
        self._find_duplicates(request, call)
        return self._render(request, call, self.cluster.writer.create(call, body), 201)

    def _update(self, request: Request, call: Call) -> Answer:
        write_options(call, request.query, "UpdateOptions", request.header("user-agent"))
        body = wire.document(request, call.resource.kind)
        self._find_duplicates(request, call)
        created = call.resource.key in strategies.CREATED_BY_PUT and not call.subresource
        if created and self.cluster.store.get(call.resource.key, call.key) is None:
            return self._render(request, call, self.cluster.writer.create_by_put(call, body), 201)
        return self._render(request, call, self.cluster.writer.update(call, body))

    def _find_duplicates(self, request: Request, call: Call, patch: Any = None) -> None:
        if call.media == patches.JSON:
            call.unknown = [f"[{i}].{name}" for i, one in enumerate(patch) for name in one if name not in OPERATION]
        if call.validation != "Ignore":
            call.duplicates = jsontext.duplicates(request.body)

    def _patch(self, request: Request, call: Call) -> Answer:
        media = request.content_type
        accepted = [patches.JSON, patches.MERGE]
        if not call.resource.custom:
            accepted.append(patches.STRATEGIC)
        accepted.append(patches.APPLY)
        if media not in accepted and not call.resource.custom:
            raise errors.error(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})
        if media not in accepted:
            text = "the body of the request was in an unknown format - accepted media types include: "
            raise errors.error(415, "UnsupportedMediaType", text + ", ".join(accepted))
        apply = media == patches.APPLY
        call.media = media
        write_options(call, request.query, "ApplyOptions" if apply else "PatchOptions", request.header("user-agent"))
        if apply:
            body = self._apply_body(request)
            stored, created = self.cluster.writer.apply(call, body)
            return self._render(request, call, stored, 201 if created else 200)
        patch = wire.parse(request.body, yaml_allowed=False)
        self._check_patch(call, patch)
        self._find_duplicates(request, call, patch)
        return self._render(request, call, self.cluster.writer.patch(call, media, patch))

    def _apply_body(self, request: Request) -> Object:
        body = wire.parse(request.body, yaml_allowed=True)
        why = wire.yaml_problem(request.body) if body is None else ""
        if why:
            raise errors.bad_request(f"error decoding YAML: error converting YAML to JSON: {why}")
        if isinstance(body, dict) or body is None:
            return body or {}
        word = jsontext.NAMES.get(type(body), "value")
        why = f"json: cannot unmarshal {word} into Go value of type map[string]interface {{}}"
        raise errors.bad_request(f"error decoding YAML: error unmarshaling JSON: while decoding JSON: {why}")

    def _check_patch(self, call: Call, patch: Any) -> None:
        prefix = "" if call.media == patches.STRATEGIC else "error decoding patch: "
        if patch is None and call.raw.strip() != b"null":
            raise errors.bad_request(prefix + jsontext.problem(call.raw))
        array = call.media == patches.JSON
        wanted, go = (list, "[]handlers.jsonPatchOp") if array else (dict, "map[string]interface {}")
        if not isinstance(patch, wanted):
            raise errors.bad_request(prefix + wire.cannot(patch, go))
        for step in patch if array else ():
            if not isinstance(step, dict):
                raise errors.bad_request(prefix + wire.cannot(step, "handlers.jsonPatchOp"))
        if array and len(patch) > patches.MOST_OPERATIONS:
            most = patches.MOST_OPERATIONS
            text = (
                f"Request entity too large: The allowed maximum operations in a JSON patch is {most}, got {len(patch)}"
            )
            raise errors.error(413, "RequestEntityTooLarge", text)

    def _delete(self, request: Request, call: Call) -> Answer:
        wish = self._delete_options(request, call)
        self._reviewed_delete(call)
        stored, gone = self.cluster.deleter.delete(call, wish)
        if not gone or call.resource.key in strategies.RETURNED_WHEN_DELETED:
            return self._render(request, call, stored, 202 if not gone and wish.cascade else 200)
        return Answer(200, orjson.dumps(success(call, stored)), warnings=call.warnings)

    def _delete_options(self, request: Request, call: Call) -> DeleteOptions:
        """A body says everything: the query counts only without one."""
        body = (
            deletes.decoded(wire.document(request, "DeleteOptions")) if request.body else deletes.asked(request.query)
        )
        wish = deletes.options(body)
        named = ("gracePeriodSeconds", "preconditions", "propagationPolicy", "orphanDependents")
        call.options = {name: body[name] for name in named if body.get(name) is not None}
        call.dry_run = bool(body.get("dryRun"))
        return wish

    def _reviewed_delete(self, call: Call) -> None:
        stored = self.cluster.store.get(call.resource.key, call.key)
        if stored is not None:
            self.cluster.admission.delete(call, stored.obj)

    def _one_of(self, call: Call, target: Target, stored: Stored) -> Call:
        one = Call(target.resource, stored.meta.get("namespace"), stored.meta["name"], user=call.user)
        one.dry_run, one.memory, one.options, one.warnings = call.dry_run, call.memory, call.options, call.warnings
        return one

    def _delete_collection(self, request: Request, target: Target, call: Call) -> Answer:
        if target.resource.namespaced and target.namespace is None:
            raise errors.method_not_allowed()
        if target.resource.key == "namespaces":
            raise errors.method_not_allowed()
        items, metadata = self.lister.page(target.resource, target.namespace, request.query)
        wish = self._delete_options(request, call)
        out = []
        calls = [self._one_of(call, target, stored) for stored in items]
        for one in calls:
            self._reviewed_delete(one)  # all before the first is gone, as the request may have to be run again
        for stored, one in zip(items, calls, strict=True):
            try:
                self.cluster.deleter.delete(one, wish)
            except errors.ApiError as problem:
                if problem.code != 404:
                    raise
                continue
            out.append(stored)  # as it was before
        return Answer(200, reads.render_list(target.resource, out, metadata, request.shape))


def success(call: Call, stored: Stored) -> Object:
    resource = call.resource
    details: Object = {"name": call.name}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.plural
    details["uid"] = stored.meta["uid"]
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
