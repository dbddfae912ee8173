"""The API as the signed-in person: tokens are renewed on the way, so that nobody notices they are short-lived."""

import os
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import click

from cli.config import SIGN_IN, Context, Contexts
from cli.errors import CliError, Exit, Problem
from cli.tokens import Pair, Tokens
from cli.wire import READ_SECONDS, Answer, Wire

Row = dict[str, Any]
LARGEST_PAGE = 200
EARLY_SECONDS = 15  # renew a little before it is needed: clocks and requests take time


def client_of(context_name: str | None) -> "Client":
    return Client(Contexts.load().pick(context_name))


def pair_of(body: Mapping[str, Any]) -> Pair:
    return Pair(body["access"], body["refresh"], time.time() + body["expires_in"])


def _given_token() -> str:
    """`--token`, else OVIM_TOKEN: the option's own variable, also where no command runs (a shell completes)."""
    command = click.get_current_context(silent=True)
    given = command.find_root().params.get("token") if command is not None else None
    return str(given or os.environ.get("OVIM_TOKEN", "")).strip()


class Client:
    """Requests to the context's server as whoever signed in there, or with the token that was given (--token, OVIM_TOKEN)."""

    def __init__(self, context: Context, seconds: float = READ_SECONDS) -> None:
        self.context = context
        self.wire = Wire(context, seconds)
        self._tokens = Tokens(context.name)
        self._given = _given_token()

    def get(self, path: str, **query: str) -> Row:
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Row:
        return self.ask("POST", path, body=body)

    def rows(self, path: str, most: int | None = None, **query: str) -> Iterator[Row]:
        """All rows of a list, page by page; `most`: stop after so many. `limit` in the query: the size of a page."""
        left, after = most, None
        page_size = int(query.pop("limit", LARGEST_PAGE))
        while left is None or left > 0:
            size = page_size if left is None else min(left, page_size)
            page = self.get(path, **query, limit=str(size), **({"after": after} if after else {}))
            yield from page["items"]
            after = page["next"]
            if after is None:
                return
            left = None if left is None else left - len(page["items"])

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        generation: int | None = None,
    ) -> Row:
        """The answer's body. `generation`: do it only if the row is still at it (If-Match), else 412."""
        headers = {"If-Match": f'"{generation}"'} if generation is not None else {}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        found: Row = self._as_me(method, path, query=query, body=body, headers=headers).body
        return found

    def download(self, path: str, query: Mapping[str, str]) -> Iterator[bytes]:
        """A file in pieces."""
        return self.wire.download(path, query, self.bearer())

    def bearer(self) -> str:
        """An access token that is good for now."""
        return self._given or self._fresh().access

    def sign_out(self) -> None:
        """End the session there and forget it here; here also when the server can't be asked."""
        if self._given:
            self.ask("POST", "auth/logout")
            return
        try:
            if self._tokens.load() is not None:
                self.ask("POST", "auth/logout")
        finally:
            self._tokens.forget()

    def _as_me(self, method: str, path: str, **request: Any) -> Answer:
        if self._given:
            try:
                return self.wire.send(method, path, bearer=self._given, **request)
            except Problem as problem:
                if problem.status != 401:
                    raise
                raise CliError(problem.code, *problem.lines, "The token came from OVIM_TOKEN, or --token.") from None
        pair = self._fresh()
        try:
            return self.wire.send(method, path, bearer=pair.access, **request)
        except Problem as problem:
            if problem.status != 401:
                raise
            return self.wire.send(method, path, bearer=self._renewed(pair).access, **request)

    def _fresh(self) -> Pair:
        pair = self._tokens.load()
        if pair is None:
            raise CliError(Exit.NOT_ALLOWED, f"You are not signed in to {self.context.server}.", SIGN_IN)
        return pair if pair.expires_at - EARLY_SECONDS > time.time() else self._renewed(pair)

    def _renewed(self, old: Pair) -> Pair:
        """New tokens. Using a refresh token twice ends the session, so of several processes one trades it."""
        with self._tokens.lock():
            pair = self._tokens.load()
            if pair is None:
                raise CliError(Exit.NOT_ALLOWED, f"You have signed out of {self.context.server}.", SIGN_IN)
            if pair.access != old.access:
                return pair  # another process was first
            try:
                answer = self.wire.send("POST", "auth/refresh", body={"refresh": pair.refresh})
            except Problem as problem:
                if problem.status != 401:
                    raise
                self._tokens.forget()
                raise CliError(Exit.NOT_ALLOWED, *problem.lines, SIGN_IN) from None
            pair = pair_of(answer.body)
            self._tokens.save(pair)
            return pair
