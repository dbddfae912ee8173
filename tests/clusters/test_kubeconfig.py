"""Kubeconfigs that people send: what is taken from one, and what is refused by name."""

import base64
from typing import Any

import pytest
import yaml

from clusters.kubeconfig import Access, Unusable, parse


def config(user: Any = None, **cluster: Any) -> str:
    return yaml.safe_dump(
        {
            "current-context": "a",
            "contexts": [
                {"name": "a", "context": {"cluster": "one", "user": "me"}},
                {"name": "b", "context": {"cluster": "two", "user": "me"}},
            ],
            "clusters": [
                {"name": "one", "cluster": {"server": "https://one.example.org:6443/"} | cluster},
                {"name": "two", "cluster": {"server": "https://two.example.org"}},
            ],
            "users": [{"name": "me", "user": {"token": "t0k3n"} if user is None else user}],
        }
    )


def test_the_current_context_or_the_one_that_is_named():
    pem = "-----BEGIN CERTIFICATE-----\n"
    found = parse(config(None, **{"certificate-authority-data": base64.b64encode(pem.encode()).decode()}))
    assert found == Access("https://one.example.org:6443", "t0k3n", pem)
    assert parse(config(), "b").server == "https://two.example.org"


@pytest.mark.parametrize(
    ("text", "rule", "words"),
    [
        ("{", "not_yaml", "not YAML"),
        ("[]", "not_a_kubeconfig", "no kubeconfig"),
        ("apiVersion: v1", "not_a_kubeconfig", "no contexts"),
        ("contexts: []", "no_context", "There are: none"),
        (config(user={"exec": {"command": "aws"}}), "exec", "runs a program"),
        (config(user={"auth-provider": {"name": "gcp"}}), "auth_provider", "auth-provider"),
        (
            config(user={"client-certificate-data": "x", "client-key-data": "y"}),
            "client_certificate",
            "client certificate",
        ),
        (config(user={"client-certificate": "/etc/passwd"}), "client_certificate", "client certificate"),
        (config(user={"username": "a", "password": "b"}), "username", "password"),
        (config(user={"token": "t", "as": "root"}), "as", "acts as somebody else"),
        (config(user={}), "no_token", "service account's token"),
        (config(user={"tokenFile": "/etc/passwd"}), "names_a_file", "--flatten"),
        (config(None, **{"certificate-authority": "/etc/passwd"}), "names_a_file", "--flatten"),
        (config(None, **{"certificate-authority-data": "?"}), "bad_ca", "base64"),
        (config(None, **{"insecure-skip-tls-verify": True}), "insecure_skip_tls_verify", "name its CA"),
        (config(None, **{"proxy-url": "http://proxy"}), "proxy_url", "proxy"),
        (config(None, **{"tls-server-name": "other"}), "tls_server_name", "another name"),
        (config(server=""), "no_server", "no server"),
        ("x" * 300_000, "too_large", "256 KiB"),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(text, rule, words):
    with pytest.raises(Unusable, match=words) as refusal:
        parse(text)
    assert refusal.value.rule == rule


def test_a_context_that_there_is_not_is_told_with_those_there_are():
    with pytest.raises(Unusable, match=r"'c'.*There are: a, b") as refusal:
        parse(config(), "c")
    assert refusal.value.rule == "no_context"
