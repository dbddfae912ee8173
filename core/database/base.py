"""The backend: every transaction begins with the bounds of who asks, in the round trip of its BEGIN (ADR 23).

Outside `atomic`, statements of a request run in a transaction of ours that Django knows nothing of: the first one opens
it, a write, an `atomic` or the request's end commits it, an error ends it, so that all looks as it does without one.
"""

import select
from functools import lru_cache
from typing import Any, ClassVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, DatabaseError
from django_prometheus.db.backends.postgresql import base
from psycopg.pq import ExecStatus, TransactionStatus

from core.database.bounds import EVERYTHING, NOTHING, Bounds, statements, whole_role

_WRITES = (b"INSERT", b"UPDATE", b"DELETE", b"MERGE")
_UNKNOWN = Bounds(organizations=frozenset(), person=None)  # after a savepoint was rolled back: compared by identity
_statements = lru_cache(maxsize=4096)(statements)


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]  # django-prometheus has no types
    """`bounds`: who asks now; None: nobody in particular, so the connection's own role decides.

    That is the login's, which sees no tenant's row, or, in a process that works for all of them, the whole one.
    """

    works_for_all: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bounds: Bounds | None = None
        self._kept: Bounds | None = None  # what the running transaction was told
        self._ours = False  # whether that transaction is ours and not Django's

    # ---- before and after each statement

    def keep_bounds(self) -> None:
        """To be called before a statement: the transaction it runs in keeps within `bounds` from here on."""
        bounds, status = self.bounds, self.connection.pgconn.transaction_status
        if self.in_atomic_block or not self.autocommit:
            if bounds is self._kept or status == TransactionStatus.INERROR:
                return
            own = EVERYTHING if self.works_for_all else NOTHING
            self._send(_begun(status, bounds or own, self.settings_dict["USER"]))
        else:
            if self._ours and status != TransactionStatus.INTRANS:  # it broke, and is as good as rolled back
                self.finish()
                status = self.connection.pgconn.transaction_status
            if bounds is None or (self._ours and bounds is self._kept):
                return
            self._send(_begun(status, bounds, self.settings_dict["USER"]))
            self._ours = True
        self._kept = bounds

    def after(self, cursor: Any) -> None:
        """To be called after a statement: what was written outside `atomic` is committed at once."""
        result = cursor.pgresult
        if self._ours and result is not None and (result.command_status or b"").startswith(_WRITES):
            self.finish()

    def finish(self) -> None:
        """End the transaction of ours, if there is one. Nothing of a request is left on the connection after it."""
        if not self._ours:
            return
        self._ours, self._kept = False, None
        if self.connection is not None and not self.connection.closed:
            broken = self.connection.pgconn.transaction_status == TransactionStatus.INERROR
            self._send(b"ROLLBACK" if broken else b"COMMIT")

    def _send(self, text: bytes) -> None:
        """Past psycopg's cursors, which take one statement at a time. Where it fails, nothing was begun."""
        with self.wrap_database_errors:
            result = self.connection.pgconn.exec_(text)
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.errors.error_from_result(result)

    # ---- where Django's own transactions begin and end

    def _set_autocommit(self, autocommit: bool) -> None:
        self.finish()
        super()._set_autocommit(autocommit)
        self._kept = None

    def _commit(self) -> Any:
        self._kept = None
        return super()._commit()

    def _rollback(self) -> Any:
        self._kept = None
        return super()._rollback()

    def _savepoint_rollback(self, sid: str) -> None:
        super()._savepoint_rollback(sid)
        self._kept = _UNKNOWN

    # ---- the connection

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        params["cursor_factory"] = _keeping(params["cursor_factory"], self)
        if self.works_for_all and self.alias == DEFAULT_DB_ALIAS:
            role = whole_role(self.settings_dict["USER"]).replace("\\", r"\\").replace(" ", r"\ ")
            params["options"] = f"{params.get('options', '')} -c role={role}".strip()
        return params

    def connect(self) -> None:
        self._ours, self._kept = False, None
        super().connect()

    def _close(self) -> Any:
        self._ours, self._kept = False, None
        return super()._close()

    def create_cursor(self, name: str | None = None) -> Any:
        if name:  # a server-side cursor: of a class of its own
            self.keep_bounds()
        return super().create_cursor(name)

    def is_usable(self) -> bool:
        """Asked before the first statement of a request or a task: spared the question where something else tells it.

        For a request, opening its transaction; for a task, many a second in an idle installation, the socket: a server
        that ended the session has said so there.
        """
        if self.works_for_all and self.connection is not None and not self.errors_occurred:
            return not self.connection.closed and not _readable(self.connection.fileno())
        if self.connection is None or self.bounds is None or self._ours or self.in_atomic_block:
            return bool(super().is_usable())
        try:
            self.keep_bounds()
        except DatabaseError:
            return False
        return True


def _readable(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _begun(status: TransactionStatus, bounds: Bounds, login: str) -> bytes:
    text = _statements(bounds, login)
    return b"BEGIN; " + text if status == TransactionStatus.IDLE else text


def _keeping(cursor: Any, wrapper: DatabaseWrapper) -> type:
    """The cursor class, with `wrapper` asked before and after each statement."""

    class KeepingCursor(cursor):  # type: ignore[misc]
        def execute(self, *args: Any, **kwargs: Any) -> Any:
            wrapper.keep_bounds()
            answer = super().execute(*args, **kwargs)
            wrapper.after(self)
            return answer

        def executemany(self, *args: Any, **kwargs: Any) -> Any:
            wrapper.keep_bounds()
            answer = super().executemany(*args, **kwargs)
            wrapper.after(self)
            return answer

    return KeepingCursor
