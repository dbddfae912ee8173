"""What a client accepts: the media type and the representation of an answer, and the refusals where there is none.

Built-in kinds are behind a router that looks at media types by itself, before anybody looks at their parameters;
custom resources and lists of groups are not, and refuse in other words.
"""

from __future__ import annotations

from dataclasses import dataclass

from clusters.sandbox.errors import ApiError, bad_request, error

JSON = "application/json"
YAML = ("application/yaml", "text/yaml")
SPOKEN = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
STREAMED = ", application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
ROUTED = {"*/*", JSON, YAML[0], "application/vnd.kubernetes.protobuf"}  # what the router lets pass
INCLUDED = ("Metadata", "Object", "None")  # what a row of a table may carry
META_VERSIONS = {"v1", "v1beta1"}
META_KINDS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
DISCOVERY_KIND = "APIGroupDiscoveryList"


@dataclass(frozen=True)
class Shape:
    """What the Accept header asks for: "object", "Table", "PartialObjectMetadata" or its List."""

    kind: str = "object"
    include: str = "Metadata"
    version: str = "v1"

    @property
    def api_version(self) -> str:
        return f"meta.k8s.io/{self.version}"


WHOLE = Shape()


def clauses(accept: str) -> list[tuple[str, dict[str, str]]]:
    """Media types and their parameters in the order of the client's preference."""
    out = []
    for clause in accept.split(","):
        media, *rest = [part.strip() for part in clause.split(";")]
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        try:
            weight = float(parameters.get("q", "1"))
        except ValueError:
            weight = 1.0
        out.append((weight, media, parameters))
    out.sort(key=lambda found: -found[0])
    return [(media, parameters) for _, media, parameters in out]


def served(accept: str) -> tuple[str, Shape] | None:
    """The first media type and representation of an Accept header that there is; None when none is."""
    if not accept:
        return JSON, WHOLE
    for media, parameters in clauses(accept):
        if media not in {JSON, "*/*", "application/*", *YAML[:1]} or parameters.get("stream", "watch") != "watch":
            continue
        spoken = media if media in YAML else JSON
        if not {"as", "g", "v"} & parameters.keys():
            return spoken, WHOLE
        kind, version = parameters.get("as", ""), parameters.get("v", "")
        if kind in META_KINDS and version in META_VERSIONS and parameters.get("g") == "meta.k8s.io":
            return spoken, Shape(kind, version=version)
    return None


def routed(accept: str, *, listing: bool = False) -> None:
    """The router's refusal of media types; `listing`: of a collection, which can also be watched."""
    types = {clause.partition(";")[0].strip() for clause in accept.split(",")}
    if accept and not types & ROUTED:
        text = f"406: Not Acceptable\n\nAvailable representations: {SPOKEN}{STREAMED if listing else ''}"
        raise error(406, "NotAcceptable", text, {})


def not_acceptable(why: str = f"only the following media types are accepted: {SPOKEN}") -> ApiError:
    return error(406, "NotAcceptable", why)


def shape(accept: str, included: str) -> Shape:
    """The representation the Accept header asks for first; 406 when none can be served."""
    found = served(accept)
    if found is None:
        raise not_acceptable()
    included = included or "Metadata"
    if found[1].kind == "Table" and included not in INCLUDED:
        why = f"includeObject: Invalid value: \"{included}\": must be 'Metadata', 'Object', 'None', or empty"
        raise bad_request(f"Unable to convert to Table as requested: {why}")
    return Shape(found[1].kind, included, found[1].version)


def one_for_many(kind: str, *, custom: bool) -> ApiError:
    """The refusal to show a list as if it were one object."""
    go = "*unstructured.UnstructuredList" if custom else f"*core.{kind}"
    return not_acceptable(f"you requested PartialObjectMetadata, but the requested object is a list ({go})")


def many_for_one(kind: str, *, custom: bool) -> ApiError:
    """The refusal to show one object as if it were a list."""
    if custom:
        return error(500, "", "content is not a list")
    return not_acceptable(
        f"you requested PartialObjectMetadataList, but the requested object is not a list (*core.{kind})"
    )


def discovered(accept: str, *, aggregated: bool) -> bool:
    """Whether all groups are to be answered at once; `aggregated`: whether there is such an answer at this path."""
    if not accept:
        return False
    for media, parameters in clauses(accept):
        if media not in {JSON, "*/*", "application/*", *YAML[:1]}:
            continue
        if not {"as", "g", "v"} & parameters.keys():
            return False
        wanted = (parameters.get("g"), parameters.get("v"), parameters.get("as"))
        if aggregated and wanted == ("apidiscovery.k8s.io", "v2", DISCOVERY_KIND):
            return True
    raise not_acceptable()
