"""serve: runs the sandbox until a signal."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn

from clusters.sandbox import kubeconfig, rbac_seed
from clusters.sandbox.accounts import AccountSecrets
from clusters.sandbox.assembly import assemble, install_extras
from clusters.sandbox.cdi.image import make_qcow2
from clusters.sandbox.cdi.serve import images_app
from clusters.sandbox.client_certificates import ClientAuthority
from clusters.sandbox.cluster import Cluster
from clusters.sandbox.handshake import AskingContext
from clusters.sandbox.journal import Journal
from clusters.sandbox.server import Server
from clusters.sandbox.tls import certificates
from clusters.sandbox.tokens import Tokens

DEMO_DISK = 1024**3
DEMO_PAYLOAD_MIB = 6  # enough that an import has progress to show, small enough to be made on the spot


def parser() -> argparse.ArgumentParser:
    out = argparse.ArgumentParser(prog="python -m clusters.sandbox serve")
    out.add_argument("--port", type=int, required=True)
    secret = out.add_mutually_exclusive_group(required=True)
    secret.add_argument(
        "--token", help="bearer token of the administrator; other users of the machine can read it here"
    )
    secret.add_argument("--token-file", type=Path, help="a file with that token")
    out.add_argument("--host", default="127.0.0.1")
    out.add_argument("--data", type=Path, help="directory of the journal; without it nothing survives a restart")
    out.add_argument("--plain", action="store_true", help="without KubeVirt and CDI")
    out.add_argument("--no-vm-webhooks", action="store_true", help="KubeVirt's CRDs without its admission")
    out.add_argument(
        "--tls", type=Path, help="directory of the CAs, of the server and of clients; without it plain HTTP"
    )
    out.add_argument("--images", type=Path, help="serve this directory's files, with a demo.qcow2 among them")
    out.add_argument("--images-port", type=int, default=0, help="plain HTTP for --images, whatever the API speaks")
    out.add_argument("--upload-port", type=int, default=0, help="CDI's upload proxy; any free one without it")
    out.add_argument(
        "--unread-seconds", type=float, default=0.1, help="after the start, until roles and bindings are known"
    )
    out.add_argument("--kubeconfig", type=Path, help="write a kubeconfig here (mode 0600); kubectl needs --tls too")
    return out


class Service(uvicorn.Server):
    """Ends open watches cleanly on a signal instead of waiting for them.

    What is to be done at the end goes into `closing`: after `shutdown` uvicorn sends the signal to itself once more.
    """

    def __init__(
        self, config: uvicorn.Config, core: Server, closing: Callable[[], None], unread_seconds: float
    ) -> None:
        super().__init__(config)
        self.core, self.closing, self.unread_seconds = core, closing, unread_seconds

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """From its first answer on: k8s-transcript 17 has it that the roles come a moment after that."""
        self.core.cluster.store.begin_sync(self.unread_seconds)
        await super().startup(sockets)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for watch in list(self.core.watches):
            watch.close()
        await super().shutdown(sockets)
        self.closing()


class ImageServer(uvicorn.Server):
    """A folder of images on a port of its own, open to whoever asks, as mirrors of images are."""

    def __init__(self, options: argparse.Namespace) -> None:
        demo = options.images / "demo.qcow2"
        if not demo.exists():
            options.images.mkdir(parents=True, exist_ok=True)
            make_qcow2(demo, virtual_size=DEMO_DISK, payload_mib=DEMO_PAYLOAD_MIB)
        super().__init__(
            uvicorn.Config(
                images_app(options.images),
                host=options.host,
                port=options.images_port,
                log_level="warning",
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the API server's, which tells us to end


class Door(uvicorn.Server):
    """A port beside the API's that the cluster itself opens (uploads)."""

    def __init__(self, options: argparse.Namespace, application: Any, opened: Callable[[str], None], port: int) -> None:
        settings: dict[str, Any] = {}
        self.scheme, self.host, self.opened = "http", options.host, opened
        if options.tls is not None:
            _, certificate, key = certificates(options.tls, options.host)
            self.scheme = "https"
            settings = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((options.host, port))
        super().__init__(
            uvicorn.Config(
                application, log_level="warning", lifespan="off", ws="none", timeout_graceful_shutdown=1, **settings
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals are the API server's, which tells us to end

    async def open(self) -> None:
        self.opened(f"{self.scheme}://{self.host}:{self.socket.getsockname()[1]}")
        await self.serve(sockets=[self.socket])


def assemble_from(options: argparse.Namespace) -> tuple[Cluster, Journal | None]:
    """The cluster, with what its journal remembers."""
    cluster, definitions, namespaces = assemble()
    cluster.start()
    journal = None
    if options.data is not None:
        journal = Journal(options.data)
        journal.load(cluster.store)
        definitions.load()
        cluster.store.journal = journal.append
    namespaces.populate()
    rbac_seed.populate(cluster)
    if not options.plain:
        install_extras(cluster, vm_webhooks=not options.no_vm_webhooks)
    return cluster, journal


def listening(options: argparse.Namespace, application: Server) -> uvicorn.Config:
    """Where and how it listens; the kubeconfig is written once the address and its CA are known."""
    settings: dict[str, Any] = {}
    ca = None
    if application.authority is not None:
        ca, certificate, key = certificates(options.tls, options.host)
        context = AskingContext(certificate, key, application.authority.path)
        settings = {"ssl_context_factory": lambda *_: context}
    if options.kubeconfig is not None:
        server = f"{'https' if ca else 'http'}://{options.host}:{options.port}"
        kubeconfig.write(options.kubeconfig, kubeconfig.by_token(server, options.token, ca))
    return uvicorn.Config(
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
    )


async def run(options: argparse.Namespace) -> None:
    cluster, journal = assemble_from(options)
    tokens = Tokens(cluster.store, options.data and options.data / "accounts.key")
    AccountSecrets(cluster, tokens, "sandbox")
    core = Server(cluster, options.token, tokens, ClientAuthority(options.tls) if options.tls is not None else None)
    images = ImageServer(options) if options.images is not None else None

    doors = [
        Door(options, application, cluster.door_opened[name], getattr(options, f"{name}_port"))
        for name, application in cluster.doors.items()
    ]

    def closing() -> None:
        for server in (images, *doors):
            if server is not None:
                server.should_exit = True
        cluster.stop()
        if journal is not None:
            journal.close(cluster.store)

    if images is not None:
        cluster.spawn(images.serve())
    for door in doors:
        cluster.spawn(door.open())
    await Service(listening(options, core), core, closing, options.unread_seconds).serve()


def main(arguments: list[str]) -> int:
    options = parser().parse_args(arguments)
    if options.token_file is not None:
        options.token = options.token_file.read_text().strip()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        import uvloop  # noqa: PLC0415

        uvloop.run(run(options))
    except ImportError:
        asyncio.run(run(options))
    return 0
