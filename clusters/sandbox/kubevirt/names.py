"""Name rules of apimachinery, with its exact words; each returns the list of what is wrong."""

from __future__ import annotations

import re

LABEL_FMT = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
SUBDOMAIN_FMT = LABEL_FMT + r"(\." + LABEL_FMT + ")*"
NAME_FMT = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
LABEL = re.compile(f"^{LABEL_FMT}\\Z")
SUBDOMAIN = re.compile(f"^{SUBDOMAIN_FMT}\\Z")
NAME = re.compile(f"^{NAME_FMT}\\Z")
PORT_CHARS = re.compile("^[-a-z0-9]+\\Z")

LABEL_MESSAGE = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    f"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{LABEL_FMT}')"
)
SUBDOMAIN_MESSAGE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    f"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{SUBDOMAIN_FMT}')"
)
NAME_MESSAGE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    f"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{NAME_FMT}')"
)
VALUE_MESSAGE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
    f"'({NAME_FMT})?')"
)


def longest(limit: int) -> str:
    return f"must be no more than {limit} characters"


def bytes_limit(limit: int) -> str:
    return f"must be no more than {limit} bytes"


def dns_label(value: str) -> list[str]:
    wrong = [longest(63)] if len(value) > 63 else []
    if LABEL.match(value):
        return wrong
    return [*wrong, "must not contain dots" if SUBDOMAIN.match(value) else LABEL_MESSAGE]


def dns_subdomain(value: str) -> list[str]:
    wrong = [longest(253)] if len(value) > 253 else []
    return wrong if SUBDOMAIN.match(value) else [*wrong, SUBDOMAIN_MESSAGE]


def label_name(value: str) -> list[str]:
    """A label key: an optional DNS prefix, a slash, a name of at most 63 characters."""
    parts = value.split("/")
    wrong: list[str] = []
    if len(parts) == 2:
        prefix, name = parts
        if not prefix:
            wrong.append("prefix part must be non-empty")
        else:
            wrong.extend("prefix part " + text for text in dns_subdomain(prefix))
    elif len(parts) == 1:
        name = value
    else:
        return [
            "a qualified name "
            + NAME_MESSAGE
            + " with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    if not name:
        wrong.append("name part must be non-empty")
    elif len(name) > 63:
        wrong.append("name part " + longest(63))
    if not NAME.match(name):
        wrong.append("name part " + NAME_MESSAGE)
    return wrong


def label_value(value: str) -> list[str]:
    wrong = [longest(63)] if len(value) > 63 else []
    if value and not NAME.match(value):
        wrong.append(VALUE_MESSAGE)
    return wrong


def port_name(value: str) -> bool:
    """An IANA service name: up to 15 of a-z, 0-9 and single dashes, with at least one letter."""
    return bool(
        len(value) <= 15
        and PORT_CHARS.match(value)
        and any(char.isalpha() for char in value)
        and "--" not in value
        and not value.startswith("-")
        and not value.endswith("-")
    )
