"""Addresses of clusters: private networks are what they are for; metadata services and OVIM's own machine are not."""

import pytest

from clusters.addresses import BadAddress, check


@pytest.mark.parametrize(
    ("server", "rule"),
    [
        ("https://169.254.169.254", "metadata"),
        ("https://169.254.10.1:6443", "metadata"),
        ("https://[fe80::1]:6443", "metadata"),
        ("https://[fd00:ec2::254]", "metadata"),
        ("https://[::ffff:169.254.169.254]", "metadata"),
        ("https://[64:ff9b::a9fe:a9fe]", "metadata"),
        ("https://[2002:a9fe:a9fe::]", "metadata"),
        ("https://100.100.100.200", "metadata"),
        ("https://2852039166", "metadata"),  # the same number, as a browser would read it
        ("https://0.0.0.0", "address"),
        ("https://[::]", "address"),
        ("https://224.0.0.1", "address"),
        ("http://10.0.0.1:6443", "https"),
        ("ftp://10.0.0.1", "https"),
        ("10.0.0.1:6443", "https"),
        ("https://", "https"),
        ("https://user:pw@10.0.0.1", "address"),
        ("https://10.0.0.1/?x=1", "address"),
        ("https://10.0.0.1:99999", "address"),
        ("https://no-such-host.invalid", "unknown_host"),
    ],
)
def test_where_no_cluster_is(server, rule):
    with pytest.raises(BadAddress) as refusal:
        check(server)
    assert refusal.value.rule == rule


@pytest.mark.parametrize("server", ["https://10.0.0.1:6443", "https://192.168.1.5", "https://[fd12::5]:6443"])
def test_private_networks_are_what_it_is_for(server):
    check(server)


@pytest.mark.parametrize(
    "server", ["http://127.0.0.1:1", "https://127.9.9.9", "https://[::1]:6443", "https://localhost"]
)
def test_loopback_only_where_the_setting_says_so(server, settings):
    check(server)
    settings.OVIM_LOOPBACK_CLUSTERS = False
    with pytest.raises(BadAddress) as refusal:
        check(server)
    assert refusal.value.rule == "loopback"
