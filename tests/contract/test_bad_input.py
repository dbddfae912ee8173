"""Promise: whatever arrives, the answer is a refusal in the server's words, and the next one is served."""

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.contract.conftest import MERGE, Cluster
from tests.contract.things import (
    DEFINITION,
    DEFINITIONS,
    GROUP,
    VERSION,
    applied,
    config_map,
    made,
    maps,
    refusal,
    widget,
    widgets,
)

pytestmark = pytest.mark.usefixtures("kinds")
UNRECOGNIZED = "the object provided is unrecognized (must be of type ConfigMap): couldn't get version/kind; "
TYPE_META = 'struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'


@pytest.fixture(autouse=True)
def still_serving(cluster: Cluster) -> Iterator[None]:
    yield
    assert cluster.call("GET", "/readyz").status == 200
    assert cluster.call("GET", "/api/v1/namespaces/default").status == 200


@pytest.mark.parametrize(
    ("body", "problem", "shown"),
    [
        (b"", "unexpected end of JSON input", "<empty>"),
        (b'{"metadata":', "unexpected end of JSON input", '{"metadata":'),
        (b'{"a":1,}', "invalid character '}' looking for beginning of object key string", '{"a":1,}'),
        (b'{"a" 1}', "invalid character '1' after object key", '{"a" 1}'),
        (b'{"a":1 "b"}', "invalid character '\"' after object key:value pair", '{"a":1 "b"}'),
        (b'{"a":[1 2]}', "invalid character '2' after array element", '{"a":[1 2]}'),
        (b'{"a":tru}', "invalid character '}' in literal true (expecting 'e')", '{"a":tru}'),
        (b'{"a":1} x', "invalid character 'x' after top-level value", '{"a":1} x'),
        (b'{"a":"\\q"}', "invalid character 'q' in string escape code", '{"a":"\\q"}'),
        (b"metadata: {name: a}", "invalid character 'm' looking for beginning of value",
         b"metadata: {name: a}".hex()),
        (b"x" * 40, "invalid character 'x' looking for beginning of value", (b"x" * 30).hex() + " ..."),
    ],
)  # fmt: skip
def test_what_is_not_json_is_named(cluster: Cluster, space: str, body: bytes, problem: str, shown: str) -> None:
    answer = cluster.call("POST", maps(space), body)
    assert refusal(answer) == (400, "BadRequest", f"{UNRECOGNIZED}json parse error: {problem} ({shown})")


def test_a_list_is_no_object(cluster: Cluster, space: str) -> None:
    answer = cluster.call("POST", maps(space), b"[1]")
    problem = f"json: cannot unmarshal array into Go value of type {TYPE_META}"
    assert refusal(answer) == (400, "BadRequest", f"{UNRECOGNIZED}json parse error: {problem} (5b315d)")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"kind": "configmap", "apiVersion": "v1"},
         'no kind "configmap" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"'),
        ({"kind": "Role", "apiVersion": "rbac.authorization.k8s.io/v1"},
         "converting (v1.Role) to (core.ConfigMap): unknown conversion"),
        ({"data": {"a": 5}}, "json: cannot unmarshal number into Go struct field ConfigMap.data of type string"),
        ({"data": []}, "json: cannot unmarshal array into Go struct field ConfigMap.data of type map[string]string"),
        ({"metadata": {"labels": {"a": True}}},
         "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_named(cluster: Cluster, space: str, body: Any, why: str) -> None:
    answer = cluster.call("POST", maps(space), {"metadata": {"name": "a"}, **body})
    kind = body.get("kind", "ConfigMap")
    assert refusal(answer) == (400, "BadRequest", f'{kind} in version "v1" cannot be handled as a ConfigMap: {why}')


@pytest.mark.parametrize(("plural", "body", "why"), [
    ("secrets", {"kind": "Secret", "type": 5}, "number into Go struct field Secret.type of type v1.SecretType"),
    ("services", {"kind": "Service", "spec": {"type": []}},
     "array into Go struct field ServiceSpec.spec.type of type v1.ServiceType"),
    ("resourcequotas", {"kind": "ResourceQuota", "spec": {"hard": []}},
     "array into Go struct field ResourceQuotaSpec.spec.hard of type v1.ResourceList"),
])  # fmt: skip
def test_a_type_is_called_by_its_own_name(cluster: Cluster, space: str, plural: str, body: Any, why: str) -> None:
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/{plural}", {"metadata": {"name": "a"}, **body})
    said = f'{body["kind"]} in version "v1" cannot be handled as a {body["kind"]}: json: cannot unmarshal {why}'
    assert refusal(answer) == (400, "BadRequest", said)


@pytest.mark.parametrize(("port", "where"), [
    ({"port": 80.5}, "number 80.5 into Go struct field ServicePort.spec.ports.port"),
    ({"port": 99999999999}, "number 99999999999 into Go struct field ServicePort.spec.ports.port"),
    ({"port": 80, "targetPort": 1.5}, "number 1.5 into Go value"),
])  # fmt: skip
def test_a_number_that_does_not_fit_is_spelled_out(cluster: Cluster, space: str, port: Any, where: str) -> None:
    body = {"metadata": {"name": "a"}, "spec": {"ports": [port]}}
    answer = cluster.call("POST", f"/api/v1/namespaces/{space}/services", body)
    text = f'Service in version "v1" cannot be handled as a Service: json: cannot unmarshal {where} of type int32'
    assert refusal(answer) == (400, "BadRequest", text)


@pytest.mark.parametrize(
    ("media", "accepted"),
    [
        ("text/plain", "application/json, application/yaml, application/vnd.kubernetes.protobuf"),
        (
            "application/x-www-form-urlencoded",
            "application/json, application/yaml, application/vnd.kubernetes.protobuf",
        ),
    ],
)
def test_an_unknown_language_is_refused(cluster: Cluster, space: str, media: str, accepted: str) -> None:
    answer = cluster.call("POST", maps(space), b"a=b", media=media)
    text = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
    assert refusal(answer) == (415, "UnsupportedMediaType", text)


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9"])
def test_an_answer_nobody_could_read_is_not_sent(cluster: Cluster, space: str, accept: str) -> None:
    answer = cluster.call("GET", widgets(space), headers={"Accept": accept})
    assert refusal(answer)[:2] == (406, "NotAcceptable")


def test_too_much_is_too_much(cluster: Cluster, space: str) -> None:
    big = cluster.call("POST", maps(space), config_map("big", a="x" * 1_100_000))
    text = 'ConfigMap "big" is invalid: []: Too long: may not be more than 1048576 bytes'
    assert refusal(big) == (422, "Invalid", text)
    huge = cluster.call("POST", maps(space), config_map("huge", a="x" * 3_300_000))
    assert refusal(huge) == (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    notes = {"annotations": {"n": "x" * 262_144}}
    noted = refusal(cluster.call("POST", widgets(space), widget("noted", notes)))
    assert noted[:2] == (422, "Invalid")
    assert "metadata.annotations: Too long: may not be more than 262144 bytes" in noted[2]


@pytest.mark.parametrize(
    ("kind", "name", "fits"),
    [
        ("map", "a" * 253, True), ("map", "a" * 254, False), ("map", "Big", False), ("map", "a..b", False),
        ("map", "a.b-c", True), ("map", "-a", False), ("widget", "a" * 253, True), ("widget", "a" * 254, False),
        ("namespace", "a" * 64, False), ("namespace", "a.b", False), ("service", "a" * 64, False),
    ],
)  # fmt: skip
def test_names_have_a_form(cluster: Cluster, space: str, kind: str, name: str, fits: bool) -> None:
    path, body = {
        "map": (maps(space), config_map(name)),
        "widget": (widgets(space), widget(name)),
        "namespace": ("/api/v1/namespaces", {"metadata": {"name": name}}),
        "service": (f"/api/v1/namespaces/{space}/services", {"metadata": {"name": name}, "spec": {"ports": [{"port": 1}]}}),
    }[kind]  # fmt: skip
    answer = cluster.call("POST", path, body)
    assert answer.status == (201 if fits else 422), answer.text
    if not fits:
        assert "metadata.name" in answer.body["message"]


@pytest.mark.parametrize(("key", "value", "fits"), [
    ("a", "b" * 63, True), ("a", "b" * 64, False), ("a", "me@home", False), ("x" * 63, "", True), ("x" * 64, "", False),
    ("example.org/a", "b", True), ("/a", "b", False), ("a/b/c", "d", False), ("a", "-b", False),
])  # fmt: skip
def test_labels_have_a_form(cluster: Cluster, space: str, key: str, value: str, fits: bool) -> None:
    answer = cluster.call("POST", widgets(space), widget("a", {"labels": {key: value}}))
    assert answer.status == (201 if fits else 422), answer.text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/apis/nope.example.org/v1", True), ("/apis/nope.example.org/v1/things", True),
        (f"/apis/{GROUP}/v9/widgets", True), (f"/apis/{VERSION}/namespaces/default/nopes", True), ("/nowhere", True),
        ("/api/v1/namespaces/default/nopes", False), ("/api/v9/namespaces/default/pods", False),
        ("/apis/apps/v9/namespaces/default/deployments", False),
    ],
)  # fmt: skip
def test_unknown_paths(cluster: Cluster, path: str, text: bool) -> None:
    answer = cluster.call("GET", path)
    assert answer.status == 404
    if text:
        assert (answer.headers["Content-Type"], answer.text) == ("text/plain; charset=utf-8", "404 page not found\n")
    else:
        assert refusal(answer) == (404, "NotFound", "the server could not find the requested resource")


def _changed(**spec: Any) -> dict[str, Any]:
    whole: dict[str, Any] = json.loads(json.dumps(DEFINITION))
    whole["metadata"]["name"] = "gadgets.contract.example.org"
    whole["spec"]["names"] = {"plural": "gadgets", "kind": "Gadget"}
    whole["spec"] |= spec
    return whole


VERSIONS: list[dict[str, Any]] = DEFINITION["spec"]["versions"]


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        (_changed(names={"plural": "others", "kind": "Gadget"}),
         ["metadata.name: Invalid value: \"gadgets.contract.example.org\": must be spec.names.plural+\".\"+spec.group"]),
        (_changed(scope="Galaxy"), ['spec.scope: Unsupported value: "Galaxy"']),
        (_changed(versions=[{**VERSIONS[0], "schema": None, "selectableFields": None}]),
         ["spec.versions[0].schema.openAPIV3Schema: Required value"]),
        (_changed(versions=[{**VERSIONS[0], "storage": False}]),
         ["must have exactly one version marked as storage version"]),
        (_changed(versions=[{**VERSIONS[0], "schema": {"openAPIV3Schema": {"type": "string"}}, "selectableFields": None}]),
         ['spec.validation.openAPIV3Schema.type: Invalid value: "string": must be object at the root']),
    ],
)  # fmt: skip
def test_a_bad_definition_is_refused(cluster: Cluster, definition: Any, said: list[str]) -> None:
    code, reason, message = refusal(cluster.call("POST", DEFINITIONS, definition))
    assert (code, reason) == (422, "Invalid")
    for text in said:
        assert text in message


def test_a_definition_in_a_group_of_kubernetes_own_needs_approval(cluster: Cluster) -> None:
    """And one without a schema has nothing to select by: as recorded (k8s-transcript 00)."""
    definition = _changed(group="k8s.io")
    definition["metadata"]["name"] = "gadgets.k8s.io"
    answer = cluster.call("POST", DEFINITIONS, definition)
    assert answer.status == 422
    (cause,) = answer.body["details"]["causes"]
    assert cause["reason"] == "FieldValueRequired"
    assert cause["field"] == "metadata.annotations[api-approved.kubernetes.io]"
    assert "protected groups must have approval annotation" in cause["message"]
    bare = {key: value for key, value in VERSIONS[0].items() if key != "schema"}
    answer = cluster.call(
        "POST", DEFINITIONS, _changed(versions=[bare | {"selectableFields": [{"jsonPath": ".spec.tier"}]}])
    )
    assert answer.status == 422
    found = [item["field"] for item in answer.body["details"]["causes"]]
    assert found == ["spec.versions[0].schema.openAPIV3Schema", "spec.selectableFields"]


def test_a_body_of_the_wrong_shape_never_breaks_the_server(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    shapes: tuple[Any, ...] = (
        [],
        "x",
        5,
        True,
        {"metadata": []},
        {"metadata": {"labels": []}},
        {"spec": []},
        {"spec": {"ports": {}}},
    )
    for shape in shapes:
        for media in ("application/json", MERGE, "application/apply-patch+yaml"):
            method = "PUT" if media == "application/json" else "PATCH"
            whole = {**widget("a"), **shape} if isinstance(shape, dict) else shape
            answer = cluster.call(method, widgets(space, "a") + "?fieldManager=m", whole, media=media)
            assert 400 <= answer.status < 500 or "failed to create typed patch object" in answer.text, (shape, media)
            assert "the sandbox failed" not in answer.text, (shape, media, answer.text)
    assert applied(cluster, widgets(space, "b"), widget("b")).status == 201


PARTS = (
    b"", b"PO", b"POST /api/v1/namespaces", b"POST /api/v1/namespaces HTTP/1.1\r\n",
    b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Le",
    b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n",
    b'POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"metadata":',
    b"POST /api/v1/namespaces HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    b"\x00\xff\x16\x03\x01", b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/x" * 40_000,
)  # fmt: skip


@pytest.mark.parametrize("part", PARTS, ids=range(len(PARTS)))
def test_a_connection_may_end_anywhere(cluster: Cluster, part: bytes) -> None:
    where = urlsplit(cluster.url)
    if where.scheme != "http":
        pytest.skip("raw bytes are for a server without TLS")
    token = cluster.headers["Authorization"].encode()
    with socket.create_connection((where.hostname, where.port), timeout=5) as raw:
        raw.sendall(part.replace(b"Host: x\r\n", b"Host: x\r\nAuthorization: " + token + b"\r\n"))
    names = [item["metadata"]["name"] for item in cluster.call("GET", "/api/v1/namespaces").body["items"]]
    assert "" not in names


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"subresources": {"scale": {}}}, "spec.subresources.scale.specReplicasPath: Required value"),
        ({"subresources": {"scale": {"specReplicasPath": ".x", "statusReplicasPath": ".status.a"}}},
         'spec.subresources.scale.specReplicasPath: Invalid value: ".x": should be a json path under .spec'),
        ({"additionalPrinterColumns": [{"name": "A", "type": "bogus", "jsonPath": ".a"}]},
         'spec.additionalPrinterColumns[0].type: Invalid value: "bogus": must be one of boolean,date,integer,number,string'),
        ({"additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": "a"}]},
         'spec.additionalPrinterColumns[0].JSONPath: Invalid value: "a": must be a simple json path starting with .'),
        ({"selectableFields": [{"jsonPath": ".spec.none"}]},
         'spec.selectableFields[0].jsonPath: Invalid value: ".spec.none": is an invalid path: does not refer to a valid field'),
        ({"name": "V1"}, 'spec.versions[0].name: Invalid value: "V1": a DNS-1035 label must consist of'),
        ({"deprecationWarning": "x"}, "spec.versions[0].deprecationWarning: Invalid value"),
    ],
)  # fmt: skip
def test_a_version_of_a_definition_is_judged(cluster: Cluster, change: Any, said: str) -> None:
    definition = _changed(versions=[{**VERSIONS[0], "selectableFields": [], "subresources": {}, **change}])
    code, reason, message = refusal(cluster.call("POST", f"{DEFINITIONS}?dryRun=All", definition))
    assert (code, reason, said in message) == (422, "Invalid", True), message


INSIDE = "spec.validation.openAPIV3Schema.properties[spec]"


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "array", "items": {"type": "string"}, "uniqueItems": True}, ".uniqueItems: Forbidden"),
        ({}, ".type: Required value: must not be empty for specified object fields"),
        ({"type": "array"}, ".items: Required value: must be specified"),
        ({"type": "int"}, '.type: Unsupported value: "int": supported values: "array", "boolean", "integer", "number"'),
        ({"type": "object", "$ref": "x"}, ".$ref: Forbidden: $ref is not supported"),
        ({"type": "object", "allOf": [{"type": "object"}]}, ".allOf[0].type: Forbidden: must be empty to be structural"),
        ({"type": "string", "x-kubernetes-list-type": "set"},
         '.type: Invalid value: "string": must be array if x-kubernetes-list-type is specified'),
        ({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-map-keys": ["k"]},
         ".x-kubernetes-list-type: Required value: must be map if x-kubernetes-list-map-keys is non-empty"),
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}},
         ".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"),
        ({"type": "object", "x-kubernetes-embedded-resource": True}, ".properties: Required value: must not be empty if"),
        ({"type": "object", "x-kubernetes-preserve-unknown-fields": False},
         ".x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"),
        ({"type": "string", "x-kubernetes-validations": [{"rule": "true", "message": "a\nb"}]},
         ".x-kubernetes-validations[0].message: Invalid value: \"a\\nb\": must not contain line breaks"),
    ],
)  # fmt: skip
def test_a_schema_must_be_structural(cluster: Cluster, schema: Any, said: str) -> None:
    whole = {"openAPIV3Schema": {"type": "object", "properties": {"spec": schema}}}
    plain = {"name": "v1", "served": True, "storage": True, "schema": whole}
    code, reason, message = refusal(cluster.call("POST", f"{DEFINITIONS}?dryRun=All", _changed(versions=[plain])))
    assert (code, reason, INSIDE + said in message) == (422, "Invalid", True), message


@pytest.mark.parametrize("timeout", ["x", "5"])
def test_a_timeout_is_a_duration(cluster: Cluster, space: str, timeout: str) -> None:
    code, _reason, message = refusal(cluster.call("GET", f"{maps(space, 'a')}?timeout={timeout}"))
    assert (code, message.startswith("invalid timeout specified in the request URL - time: ")) == (400, True)
