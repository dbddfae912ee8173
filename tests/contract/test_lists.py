"""Promise: lists come in order, in pages that agree, and only with what a selector lets through (k8s-transcript 03)."""

import base64
import json
from urllib.parse import quote

import pytest

from tests.contract.conftest import Cluster
from tests.contract.things import config_map, made, maps, refusal, version, widget, widgets

pytestmark = pytest.mark.usefixtures("kinds")
UNVERSIONED = (
    'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: '
    "resourceVersionMatch is forbidden unless resourceVersion is provided"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
LABELS = {"a": {"app": "web", "env": "prod"}, "b": {"app": "db"}, "c": {"app": "web", "extra": ""}, "d": {}}


@pytest.fixture
def five(cluster: Cluster, space: str) -> str:
    """Widgets a–e with labels; e is gold."""
    for name, labels in LABELS.items():
        made(cluster, widgets(space), widget(name, {"labels": labels}))
    made(cluster, widgets(space), widget("e", tier="gold"))
    return space


def names(cluster: Cluster, path: str) -> str:
    answer = cluster.call("GET", path)
    assert answer.status == 200, answer.text
    return "".join(item["metadata"]["name"] for item in answer.body["items"])


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("app=web", "ac"), ("app==web", "ac"), ("app!=web", "bde"), ("app in (web,db)", "abc"), ("app", "abc"),
        ("app notin (web)", "bde"), ("!app", "de"), ("extra", "c"), ("app=web,env=prod", "a"), ("extra=", "c"),
        ("app in (web),!extra", "a"), ("", "abcde"), (" app = web ", "ac"), ("app in ( web , db )", "abc"),
    ],
)  # fmt: skip
def test_a_label_selector_finds(cluster: Cluster, five: str, selector: str, found: str) -> None:
    assert names(cluster, f"{widgets(five)}?labelSelector={quote(selector)}") == found


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("metadata.name=a", "a"), ("metadata.name!=a", "bcde"), ("spec.tier=gold", "e"), ("spec.tier!=gold", "abcd"),
        ("metadata.name=a,spec.tier=gold", ""), ("metadata.namespace=elsewhere", ""),
    ],
)  # fmt: skip
def test_a_field_selector_finds(cluster: Cluster, five: str, selector: str, found: str) -> None:
    assert names(cluster, f"{widgets(five)}?fieldSelector={quote(selector)}") == found


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("fieldSelector=spec.size%3D1", 400, "field label not supported: spec.size"),
        ("labelSelector=app%3Da%40b", 400, f'unable to parse requirement: values[0][app]: Invalid value: "a@b": {VALUE}'),
        ("labelSelector=app%20in%20web", 400, "unable to parse requirement: found 'web' expected: '('"),
        ("continue=bogus", 400, "invalid continue token: continue key is not valid: illegal base64 data at input byte 4"),
        ("resourceVersionMatch=Exact", 422,
         UNVERSIONED),
        ("labelSelector=a,", 400, "found '', expected: identifier after ','"),
        ("labelSelector=,a", 400, "found ',', expected: !, identifier, or 'end of string'"),
        ("labelSelector=a%3D%3Db%3Dc", 400, "found '=', expected: ',' or 'end of string'"),
        ("labelSelector=a%20in%20(b%20c)", 400, "unable to parse requirement: found 'c', expected: ',' or ')'"),
        ("labelSelector=/a", 400,
         'unable to parse requirement: <nil>: Invalid value: "/a": prefix part must be non-empty'),
        ("fieldSelector=metadata.name%3Da%3Db", 400, "invalid field selector: unescaped character in value: 61"),
        ("timeoutSeconds=soon", 400, 'strconv.ParseInt: parsing "soon": invalid syntax'),
        ("limit=99999999999999999999", 400, 'strconv.ParseInt: parsing "99999999999999999999": value out of range'),
        ("resourceVersionMatch=Maybe&resourceVersion=1", 422,
         ('ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Maybe": '
         'supported values: "Exact", "NotOlderThan", ""')),
    ],
)  # fmt: skip
def test_a_bad_question_is_refused(cluster: Cluster, space: str, query: str, code: int, message: str) -> None:
    answer = cluster.call("GET", f"{widgets(space)}?{query}")
    if query.startswith("continue"):
        assert refusal(answer)[0] == code
        assert answer.body["message"].startswith("invalid continue token: ")
        return
    assert refusal(answer) == (code, "BadRequest" if code == 400 else "Invalid", message)


def test_fields_of_kinds_that_have_none_of_their_own(cluster: Cluster, space: str) -> None:
    answer = cluster.call("GET", f"{maps(space)}?fieldSelector=data.k%3Dx")
    said = '"data.k" is not a known field selector: only "metadata.name", "metadata.namespace"'
    assert refusal(answer) == (400, "BadRequest", said)


def test_a_page_has_its_version_already(cluster: Cluster, five: str) -> None:
    token = cluster.call("GET", f"{widgets(five)}?limit=2").body["metadata"]["continue"]
    answer = cluster.call("GET", f"{widgets(five)}?limit=2&resourceVersion=1&continue={token}")
    assert refusal(answer)[2] == "specifying resource version is not allowed when using continue"


def test_pages_show_one_moment(cluster: Cluster, five: str) -> None:
    first = cluster.call("GET", f"{widgets(five)}?limit=2").body
    assert [item["metadata"]["name"] for item in first["items"]] == ["a", "b"]
    assert first["metadata"]["remainingItemCount"] == 3
    cluster.call("DELETE", widgets(five, "c"))
    made(cluster, widgets(five), widget("f"))
    token = first["metadata"]["continue"]
    second = cluster.call("GET", f"{widgets(five)}?limit=2&continue={token}").body
    assert [item["metadata"]["name"] for item in second["items"]] == ["c", "d"]
    last = cluster.call("GET", f"{widgets(five)}?limit=2&continue={second['metadata']['continue']}").body
    assert [item["metadata"]["name"] for item in last["items"]] == ["e"]
    assert not last["metadata"].get("continue")
    assert "remainingItemCount" not in last["metadata"]
    assert {page["metadata"]["resourceVersion"] for page in (first, second, last)} == {str(version(first))}
    inside = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    assert inside == {"v": "meta.k8s.io/v1", "rv": version(first), "start": "/b\u0000"}


def test_with_a_selector_nobody_counts_the_rest(cluster: Cluster, five: str) -> None:
    page = cluster.call("GET", f"{widgets(five)}?limit=1&labelSelector=app").body
    assert page["metadata"]["continue"]
    assert "remainingItemCount" not in page["metadata"]


@pytest.mark.parametrize(("selector", "limit", "more"), [("app%3Dweb", 2, True), ("app%3Dweb", 3, False),
    ("app%3Ddb", 1, True), ("tier%3Dnone", 1, False)])  # fmt: skip
def test_a_full_page_is_not_the_last_while_anything_follows(
    cluster: Cluster, five: str, selector: str, limit: int, more: bool
) -> None:
    page = cluster.call("GET", f"{widgets(five)}?limit={limit}&labelSelector={selector}").body
    assert bool(page["metadata"].get("continue")) == more
    if more:
        rest = cluster.call(
            "GET", f"{widgets(five)}?limit={limit}&labelSelector={selector}&continue={page['metadata']['continue']}"
        )
        assert (rest.body["items"], rest.body["metadata"].get("continue")) == ([], "")


def test_the_cache_has_no_pages(cluster: Cluster, five: str) -> None:
    whole = cluster.call("GET", f"{widgets(five)}?limit=2&resourceVersion=0").body
    assert len(whole["items"]) == 5
    assert not whole["metadata"].get("continue")


def test_a_list_of_a_past_moment(cluster: Cluster, five: str) -> None:
    then = version(cluster.call("GET", widgets(five)).body)
    cluster.call("DELETE", widgets(five, "a"))
    exact = f"{widgets(five)}?resourceVersion={then}&resourceVersionMatch="
    assert names(cluster, exact + "Exact") == "abcde"
    assert names(cluster, exact + "NotOlderThan") == "bcde"


@pytest.mark.parametrize("match", ["Exact", "NotOlderThan"])
def test_the_future_is_refused_after_a_while(cluster: Cluster, space: str, match: str) -> None:
    future = version(cluster.call("GET", widgets(space)).body) + 1_000_000
    answer = cluster.call("GET", f"{widgets(space)}?resourceVersion={future}&resourceVersionMatch={match}")
    code, reason, message = refusal(answer)
    assert (code, reason) == (504, "Timeout")
    assert message.startswith(f"Timeout: Too large resource version: {future}, current: ")
    assert answer.body["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"
    assert answer.body["details"]["retryAfterSeconds"] == 1
    assert answer.headers["Retry-After"] == "1"


def test_items_of_a_custom_kind_say_what_they_are(cluster: Cluster, space: str) -> None:
    made(cluster, widgets(space), widget("a"))
    made(cluster, maps(space), config_map("a"))
    custom = cluster.call("GET", widgets(space)).body
    core = cluster.call("GET", f"{maps(space)}?fieldSelector=metadata.name%3Da").body
    assert (custom["kind"], custom["items"][0]["kind"]) == ("WidgetList", "Widget")
    assert (core["kind"], "kind" in core["items"][0]) == ("ConfigMapList", False)
    assert cluster.call("GET", widgets("nowhere")).body["items"] == []


def test_a_long_list_comes_compressed(cluster: Cluster, space: str) -> None:
    for name in "abc":
        made(cluster, maps(space), config_map(name, text="x" * 100_000))
    answer = cluster.call("GET", maps(space), headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert [item["metadata"]["name"] for item in answer.body["items"] if item["data"].get("text")] == ["a", "b", "c"]
    short = cluster.call("GET", maps(space, "kube-root-ca.crt"), headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "resourceVersion=x",
            (400, 'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint'),
        ),
        ("limit=", (400, 'strconv.ParseInt: parsing "": invalid syntax')),
        ("resourceVersionMatch=Bogus&labelSelector=a%20gt%20b", (400, "unable to parse requirement: ")),
    ],
)
def test_bad_options_of_a_list(cluster: Cluster, space: str, query: str, said: tuple[int, str]) -> None:
    code, _, message = refusal(cluster.call("GET", f"{maps(space)}?{query}"))
    assert (code, message.startswith(said[1])) == (said[0], True), message


def test_what_to_delete_is_judged_before_how(cluster: Cluster, space: str) -> None:
    answer = cluster.call("DELETE", f"{maps(space)}?labelSelector=(&dryRun=x", b"{")
    assert refusal(answer)[:2] == (400, "BadRequest")
    assert answer.body["message"].startswith("found '(', expected: ")


def test_only_the_metadata_of_nothing_is_null(cluster: Cluster, space: str) -> None:
    """Not an empty list, as it is of whole objects: Go's nil."""
    path = f"/api/v1/namespaces/{space}/secrets"
    asked = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}
    assert cluster.call("GET", path, headers=asked).body["items"] is None
    assert cluster.call("GET", path).body["items"] == []
    table = {"Accept": "application/json;as=Table;g=meta.k8s.io;v=v1"}
    assert cluster.call("GET", path, headers=table).body["rows"] == []
