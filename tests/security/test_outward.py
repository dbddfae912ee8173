"""One guard of what OVIM fetches for others, and nobody who goes around it."""

import ast
from pathlib import Path

import pytest
from ssrfguard import SSRFGuardError, resolve

from catalogs.fetch import look
from catalogs.magic import Verdict
from core import outward
from core.outlet import syslog, webhook
from core.outlet.target import Target, Undelivered

ROOT = Path(__file__).resolve().parents[2]
APPS = ("ovim_site", "vms", "catalogs", "vdcs", "tenancy", "clusters", "core")
NETWORK = {"httpx", "requests", "urllib3", "http.client", "urllib.request", "socket", "ssrfguard", "aiohttp", "smtplib"}
# Who may open a connection, and what keeps it from where it must not go.
DOORS = {
    "core/outward.py": "the guard",
    "core/outlet/target.py": "the guard's policy",
    "core/outlet/webhook.py": "the guard",
    "core/outlet/syslog.py": "the guard",
    "catalogs/fetch.py": "the guard",
    "tenancy/oidc/door.py": "the guard",
    "clusters/addresses.py": "is itself the guard of clusters",
    "clusters/client.py": "clusters.addresses",
    "clusters/examine.py": "clusters.addresses",
    "clusters/watch.py": "clusters.addresses",
    "core/mail/transport.py": "the operator's own mail server, from the settings",
}
# Not in production, or never outwards.
OTHERS = ("clusters/sandbox/", "ovim_site/supervisor/")
REFUSED = [
    "127.0.0.1",
    "[::1]",
    "localhost",
    "169.254.169.254",
    "[fe80::1]",
    "10.0.0.1",
    "192.168.1.1",
    "172.16.0.1",
    "100.100.100.200",
    "[fd00::1]",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "2130706433",
    "0x7f.1",
    "[64:ff9b::7f00:1]",
]


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name in NETWORK or name.split(".")[0] in NETWORK}


def test_nobody_else_opens_connections():
    users = {
        str(path.relative_to(ROOT)): imported(path)
        for app in APPS
        for path in (ROOT / app).rglob("*.py")
        if not str(path.relative_to(ROOT)).startswith(OTHERS)
    }
    assert {name for name, found in users.items() if found} - set(DOORS) == set()


def test_the_policy_is_made_in_one_place():
    makers = [path for app in APPS for path in (ROOT / app).rglob("*.py") if "Policy(" in path.read_text()]
    assert [str(path.relative_to(ROOT)) for path in makers] == ["core/outward.py"]


@pytest.mark.parametrize("host", REFUSED)
def test_addresses_that_are_not_the_internets_are_refused(host):
    policy = outward.policy(named_by_operator=False)
    with pytest.raises(SSRFGuardError):
        resolve(policy.check_url(f"https://{host}/"), policy=policy)


@pytest.mark.parametrize("host", REFUSED)
def test_no_image_is_looked_for_there(host):
    told = look(f"https://{host}/image.qcow2")
    assert told.verdict is Verdict.UNKNOWN
    assert "does not look there" in told.what


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "169.254.169.254", "10.0.0.1"])
def test_no_audit_log_is_sent_there_unless_the_operator_said_so(host):
    with pytest.raises(Undelivered, match=r"\w+: "):
        webhook.send(Target(f"https://{host}/x", secret="s" * 32), [{"at": "", "outcome": "done"}])
    with pytest.raises(Undelivered):
        syslog.send(Target(f"syslog+tcp://{host}:1"), [{"at": "", "outcome": "done"}])
