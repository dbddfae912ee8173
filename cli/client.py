"""The API as the signed-in person: tokens are renewed on the way, so that nobody notices they are short-lived."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from cli.config import SIGN_IN, Context, Pair, Tokens
from cli.errors import CliError, Exit, Problem
from cli.wire import Answer, Wire

Row = dict[str, Any]
LARGEST_PAGE = 200
EARLY_SECONDS = 15  # renew a little before it is needed: clocks and requests take time


def pair_of(body: Mapping[str, Any]) -> Pair:
    return Pair(body["access"], body["refresh"], time.time() + body["expires_in"])


class Client:
    """Requests to the context's server as whoever signed in there."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._wire = Wire(context.server, context.ca_file)
        self._tokens = Tokens(context.name)

    def get(self, path: str, **query: str) -> Row:
        return self._ask("GET", path, query=query)

    def post(self, path: str, body: Any = None) -> Row:
        return self._ask("POST", path, body=body)

    def delete(self, path: str) -> Row:
        return self._ask("DELETE", path)

    def rows(self, path: str, most: int | None = None, **query: str) -> Iterator[Row]:
        """All rows of a list, page by page; `most`: stop after so many."""
        left, after = most, None
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            page = self.get(path, **query, limit=str(size), **({"after": after} if after else {}))
            yield from page["items"]
            after = page["next"]
            if after is None:
                return
            left = None if left is None else left - len(page["items"])

    def sign_out(self) -> None:
        """End the session there and forget it here; here also when the server can't be asked."""
        try:
            if self._tokens.load() is not None:
                self._ask("POST", "auth/logout")
        finally:
            self._tokens.forget()

    def _ask(self, method: str, path: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> Row:
        pair = self._fresh()
        try:
            answer = self._send(method, path, query, body, pair)
        except Problem as problem:
            if problem.status != 401:
                raise
            answer = self._send(method, path, query, body, self._renewed(pair))
        found: Row = answer.body
        return found

    def _send(self, method: str, path: str, query: Mapping[str, str] | None, body: Any, pair: Pair) -> Answer:
        return self._wire.send(method, path, query=query, body=body, bearer=pair.access)

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
                answer = self._wire.send("POST", "auth/refresh", body={"refresh": pair.refresh})
            except Problem as problem:
                if problem.status != 401:
                    raise
                self._tokens.forget()
                raise CliError(Exit.NOT_ALLOWED, *problem.lines, SIGN_IN) from None
            pair = pair_of(answer.body)
            self._tokens.save(pair)
            return pair
