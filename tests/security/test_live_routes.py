"""Every route of the live server is known, and who is nobody gets nothing but that it lives."""

from starlette.routing import Route
from starlette.testclient import TestClient

from ovim_site.live.server import app

# route → who gets in. What each hears: tests/live/test_stream.py.
TABLE = {"/healthz": "everybody", "/live/v1/stream": "who is signed in"}


def test_every_route_of_the_live_server_is_known():
    """No web socket and no mount besides: a new one has to be put here, and shown to be shut to others."""
    assert {route.path for route in app.routes if isinstance(route, Route)} == set(TABLE)
    assert all(isinstance(route, Route) and route.methods == {"GET", "HEAD"} for route in app.routes)


def test_nobody_gets_nothing(db):
    client = TestClient(app, base_url="http://testserver")
    assert client.get("/healthz").status_code == 200
    for headers in (
        {},
        {"Cookie": "sessionid=forged"},
        {"Authorization": "Bearer forged"},
        {"Authorization": "Basic eDp4"},
    ):
        assert client.get("/live/v1/stream", headers=headers).status_code == 401, headers
    assert client.get("/live/v1/stream", headers={"Host": "evil.example.org"}).status_code == 400
    for method in ("post", "put", "delete"):
        assert getattr(client, method)("/live/v1/stream").status_code == 405, method
