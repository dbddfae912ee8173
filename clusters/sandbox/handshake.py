"""TLS that asks for a client certificate and judges none, as kube-apiserver does: who is trusted is for authentication.

The `ssl` module can only ask for certificates that it verifies itself, and breaks the handshake with any other; a 401
that says so could never be sent. So OpenSSL is spoken to by pyOpenSSL, in the shape in which event loops use `ssl`.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

T = TypeVar("T")
CHUNK = 64 * 1024
HEADER = 5  # bytes in front of a TLS record; the last two are its length


class AskingContext(ssl.SSLContext):
    """What uvicorn listens with. `authority`: whose certificates clients are told to have, a hint only."""

    _inner: SSL.Context

    def __new__(cls, _certificate: Path, _key: Path, _authority: Path) -> AskingContext:
        return super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)

    def __init__(self, certificate: Path, key: Path, authority: Path) -> None:
        inner = SSL.Context(SSL.TLS_SERVER_METHOD)
        inner.set_min_proto_version(SSL.TLS1_2_VERSION)
        inner.use_certificate_chain_file(str(certificate))
        inner.use_privatekey_file(str(key))
        inner.load_client_ca(str(authority).encode())
        inner.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        inner.set_options(SSL.OP_NO_TICKET)  # a resumed session would not show the certificate again
        inner.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self._inner = inner

    def wrap_bio(self, incoming: Any, outgoing: Any, *_: Any, **__: Any) -> Any:
        return Conversation(self._inner, incoming, outgoing)


class Conversation:
    """One connection: what event loops ask of an `ssl.SSLObject`, and what the client has presented."""

    def __init__(self, context: SSL.Context, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self._tls = SSL.Connection(context, None)
        self._tls.set_accept_state()
        self._incoming, self._outgoing = incoming, outgoing
        self._header, self._left = b"", 0  # of the record that is being handed on

    def do_handshake(self) -> None:
        self._through(self._tls.do_handshake)

    def read(self, size: int = CHUNK, buffer: Any = None) -> Any:
        """What has come, at most `size` bytes; nothing once the other side has ended. With a buffer: how many bytes."""
        try:
            data = self._through(lambda: self._tls.recv(size))
        except ssl.SSLZeroReturnError:
            data = b""
        if buffer is None:
            return data
        buffer[: len(data)] = data
        return len(data)

    def write(self, data: Any) -> int:
        return self._through(lambda: self._tls.send(bytes(data)))

    def unwrap(self) -> None:
        if not self._through(self._tls.shutdown):
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "the other side has not said good-bye yet")

    def pending(self) -> int:
        return self._tls.pending()

    def cipher(self) -> tuple[str, str, int] | None:
        name, version = self._tls.get_cipher_name(), self._tls.get_cipher_version()
        return (name, version or "", self._tls.get_cipher_bits() or 0) if name else None

    def compression(self) -> None:
        return None

    def getpeercert(self, binary_form: bool = False) -> Any:  # as `ssl` has it
        """The certificate as `ssl` would show one that it has not verified: its bytes, or nothing of what it says."""
        found = self.presented()
        if not found:
            return None
        return found[0].public_bytes(serialization.Encoding.DER) if binary_form else {}

    def presented(self) -> Sequence[x509.Certificate]:
        """The client's certificate, whose key it has proved to have, and what it sent along; none at all."""
        own = self._tls.get_peer_certificate(as_cryptography=True)
        if own is None:
            return ()
        sent = self._tls.get_peer_cert_chain(as_cryptography=True) or []
        return (own, *(item for item in sent if item != own))

    def _through(self, deed: Callable[[], T]) -> T:
        """Carries it out on what has come in, sends what it has to say, and fails in the words of `ssl`."""
        try:
            while True:
                try:
                    return deed()
                except SSL.WantReadError:
                    if not self._hand_on():
                        raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "more has to come") from None
        except SSL.ZeroReturnError:
            raise ssl.SSLZeroReturnError(ssl.SSL_ERROR_ZERO_RETURN, "the other side has ended") from None
        except SSL.SysCallError as error:
            raise ssl.SSLEOFError(ssl.SSL_ERROR_EOF, str(error)) from None
        except SSL.Error as error:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, str(error)) from None
        finally:
            with contextlib.suppress(SSL.WantReadError):
                while True:
                    self._outgoing.write(self._tls.bio_read(CHUNK))

    def _hand_on(self) -> bool:
        """Gives OpenSSL some of what has come, of one record at most: loops look into `incoming` for what is left."""
        if not self._left:
            self._header += self._incoming.read(HEADER - len(self._header))
            if len(self._header) < HEADER:
                return False
            self._left = int.from_bytes(self._header[3:])
            self._tls.bio_write(self._header)
            self._header = b""
        data = self._incoming.read(self._left)
        self._left -= len(data)
        if data:
            self._tls.bio_write(data)
        return bool(data)
