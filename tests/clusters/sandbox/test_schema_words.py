"""What a schema of a CRD says of numbers and alternatives, in kube-openapi's words (v1.36's version, run on each)."""

from typing import Any

import pytest

from clusters.sandbox.verdicts import root

WHERE = "spec.size in body must be of type"
EITHER = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
INT32 = {"type": "integer", "format": "int32"}


def told(schema: dict[str, Any], value: Any) -> list[tuple[str, str]]:
    whole = {"type": "object", "properties": {"spec": {"type": "object", "properties": {"size": schema}}}}
    return [(error.field, error.message) for error in root(whole, {"spec": {"size": value}})]


def checked(form: str) -> tuple[str, str]:
    return ("<nil>", f'Invalid value: "": Checked value must be of type integer {form} in spec.size')


def wrong(word: str, found: str) -> tuple[str, str]:
    return ("spec.size", f'Invalid value: "{found}": {WHERE} {word}: "{found}"')


@pytest.mark.parametrize(
    ("schema", "value", "words"),
    [
        (INT32, 2**31 - 1, []),
        (INT32, 3_000_000_000, [checked("with format int32")]),
        (INT32, 1.5, [wrong("int32", "float64"), checked("with format int32")]),
        (INT32, True, [wrong("int32", "")]),
        (INT32, "1", [wrong("integer", "string")]),
        (INT32 | {"format": "int64"}, 2**63, [wrong("int64", "float64"), checked("with format int64")]),
        ({"type": "integer"}, 2.0, []),
        ({"type": "integer"}, 1.5, [wrong("integer", "number"), checked("(default format)")]),
        (EITHER, 2.0, []),
        ({"type": "string", "enum": ["a"]}, 1,
         [wrong("string", "integer"), ("spec.size", 'Unsupported value: 1: supported values: "a"')]),
        ({"type": "string", "pattern": "^a$"}, "a\n",
         [("spec.size", "Invalid value: \"a\\n\": spec.size in body should match '^a$'")]),
    ],
)  # fmt: skip
def test_says_what_a_real_server_says(schema: dict[str, Any], value: Any, words: list[tuple[str, str]]) -> None:
    assert told(schema, value) == words


@pytest.mark.parametrize(("value", "found"), [([], "array"), (1.5, "number"), (True, "boolean")])
def test_a_value_that_is_neither_number_nor_text_is_told_three_times(value: Any, found: str) -> None:
    alternatives = ("<nil>", 'Invalid value: "": "spec.size" must validate at least one schema (anyOf)')
    rest = [checked("(default format)")] if found == "number" else []
    assert told(EITHER, value) == [wrong("integer,string", found), alternatives, wrong("integer", found), *rest]
