"""A mail server: enough of SMTP (RFC 5321, STARTTLS, AUTH PLAIN) for a client, on a real socket. It keeps what it takes."""

import base64
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage


class SmtpServer(socketserver.ThreadingTCPServer):
    """`answers`: by command (`RCPT`, `DATA`: after the message), what to answer instead; each is used once. `slow`:
    seconds before a message is taken. `login`: what AUTH has to give."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None = None, *, implicit: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context, self.implicit = context, implicit
        self.answers: dict[str, list[str]] = {}
        self.login: tuple[str, str] | None = None
        self.taken: list[EmailMessage] = []
        self.encrypted: list[bool] = []
        self.slow = 0.0

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(socketserver.StreamRequestHandler):
    server: SmtpServer

    def setup(self) -> None:
        self.secure = self.server.implicit
        if self.server.implicit and self.server.context is not None:
            self.request = self.server.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        self._say("220 mail.test ESMTP")
        signed_in = self.server.login is None
        while line := self.rfile.readline().decode().strip():
            word, _, rest = line.partition(" ")
            word = word.upper()
            planned = self.server.answers.get(word)
            if planned and word != "DATA":
                self._say(planned.pop(0))
            elif word == "EHLO":
                self._say("250-mail.test", *(["250-STARTTLS"] if self.server.context and not self.secure else []))
                self._say("250 AUTH PLAIN")
            elif word == "STARTTLS" and self.server.context:
                self._say("220 go on")
                self.request = self.server.context.wrap_socket(self.request, server_side=True)
                self.secure = True
                super().setup()
            elif word == "AUTH":
                _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                signed_in = (user, password) == self.server.login
                self._say("235 welcome" if signed_in else "535 5.7.8 wrong")
            elif word == "MAIL" and not signed_in:
                self._say("530 5.7.0 sign in first")
            elif word == "DATA":
                self._data()
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _data(self) -> None:
        self._say("354 go on")
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                return
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        time.sleep(self.server.slow)
        planned = self.server.answers.get("DATA")
        if planned:
            self._say(planned.pop(0))
            return
        found = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(found, EmailMessage)
        self.server.taken.append(found)
        self.server.encrypted.append(self.secure)
        self._say("250 taken")

    def _say(self, *lines: str) -> None:
        for line in lines:
            self.wfile.write(f"{line}\r\n".encode())


@contextmanager
def serving(server: SmtpServer) -> Iterator[SmtpServer]:
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
