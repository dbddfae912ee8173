"""serve: runs the sandbox until a signal."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import Any

import uvicorn
import yaml

from clusters.sandbox.assembly import assemble, install_extras
from clusters.sandbox.server import Server


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="python -m clusters.sandbox serve")
    out.add_argument("--port", type=int, required=True)
    out.add_argument("--token", required=True, help="bearer token of the administrator")
    out.add_argument("--host", default="127.0.0.1")
    out.add_argument("--data", type=Path, help="directory of the journal; without it nothing survives a restart")
    out.add_argument("--plain", action="store_true", help="without KubeVirt and CDI")
    out.add_argument("--no-vm-webhooks", action="store_true", help="KubeVirt's CRDs without its admission")
    out.add_argument("--tls", type=Path, help="directory of the self-signed CA; without it plain HTTP")
    out.add_argument("--kubeconfig", type=Path, help="write a kubeconfig here (mode 0600); kubectl needs --tls too")
    return out


def write_kubeconfig(path: Path, server: str, token: str, ca: Path | None) -> None:
    cluster: dict[str, Any] = {"server": server}
    if ca is not None:
        cluster["certificate-authority"] = str(ca.resolve())
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "admin"}}],
        "clusters": [{"name": "sandbox", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": token}}],
    }
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        yaml.safe_dump(body, file)


class Service(uvicorn.Server):
    """Ends open watches cleanly on a signal instead of waiting for them."""

    def __init__(self, config: uvicorn.Config, application: Server) -> None:
        super().__init__(config)
        self.application = application

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for watch in list(self.application.watches):
            watch.close()
        await super().shutdown(sockets)


async def run(options: argparse.Namespace) -> None:
    cluster, definitions, namespaces = assemble()
    cluster.start()
    journal = None
    if options.data is not None:
        from clusters.sandbox.journal import Journal  # noqa: PLC0415

        journal = Journal(options.data)
        journal.load(cluster.store)
        definitions.load()
        cluster.store.journal = journal.append
    namespaces.populate()
    if not options.plain:
        install_extras(cluster, vm_webhooks=not options.no_vm_webhooks)
    application = Server(cluster, options.token)
    settings: dict[str, Any] = {}
    ca = None
    if options.tls is not None:
        from clusters.sandbox.tls import certificates  # noqa: PLC0415

        ca, certificate, key = certificates(options.tls, options.host)
        settings = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    if options.kubeconfig is not None:
        scheme = "https" if options.tls is not None else "http"
        write_kubeconfig(options.kubeconfig, f"{scheme}://{options.host}:{options.port}", options.token, ca)
    server = Service(
        uvicorn.Config(
            application,
            host=options.host,
            port=options.port,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_keep_alive=120,
            timeout_graceful_shutdown=1,
            **settings,
        ),
        application,
    )
    await server.serve()
    cluster.stop()
    if journal is not None:
        journal.close(cluster.store)


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        import uvloop  # noqa: PLC0415

        uvloop.run(run(options))
    except ImportError:
        asyncio.run(run(options))
    return 0
