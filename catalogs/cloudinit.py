"""cloud-init user data that is handed in: a `#cloud-config` mapping, refused with the line that is wrong. Pure."""

import re

import yaml

from core import yamls

HEADER = "#cloud-config"
MOST_BYTES = 64 * 1024
_KEY = re.compile(
    r"(ssh-(rsa|ed25519)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) "
    r"AAAA[0-9A-Za-z+/]{16,}={0,3}( [^\x00-\x1f\x7f]{0,255})?\Z"
)


class BadCloudInit(ValueError):
    """What is wrong with user data; `line` counts from 1, None: the whole of it."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.line = line


def check_user_data(text: str) -> str:
    """The text as given, or BadCloudInit. Empty is fine: then there is none."""
    if not text:
        return text
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise BadCloudInit(f"user data has at most {MOST_BYTES // 1024} KiB")
    if text.split("\n", 1)[0].rstrip() != HEADER:
        raise BadCloudInit(f"user data begins with {HEADER}", 1)
    try:
        node = yamls.compose(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadCloudInit(f"no YAML: {error.problem or error.context}", mark.line + 1 if mark else None) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise BadCloudInit(f"no YAML: {str(error)[:200]}") from None
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise BadCloudInit("a #cloud-config document is a mapping", node.start_mark.line + 1)
    return text


def check_ssh_key(key: str) -> str:
    """One public key, as it stands in authorized_keys."""
    if not _KEY.match(key):
        raise BadCloudInit("an SSH public key is written 'ssh-ed25519 AAAA… comment', on one line")
    return key
