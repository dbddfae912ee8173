"""What tables say of their columns comes from the official client's package."""

import pytest

from clusters.sandbox import columns, field_docs


def test_every_column_has_its_words():
    """A release of the client that names a field otherwise shows here, and not as an empty description."""
    for key in columns.VALUES:
        assert all(column["description"] for column in columns.definitions(key)), key


@pytest.mark.parametrize("field", ["V1ServiceSpec.nothing", "V1ServiceSpec"])
def test_a_field_that_there_is_not_is_named(field: str):
    with pytest.raises(LookupError, match="has no field"):
        field_docs.description(field)
