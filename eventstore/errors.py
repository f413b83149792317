"""The errors of the store, and the translation of the driver's errors into them."""

from __future__ import annotations

import re

import psycopg

from runs.errors import RunErased


class StoreError(Exception):
    """The base of all errors of the store."""


class VersionConflict(StoreError):
    """Another writer has appended to this run first: load it again and decide again."""

    def __init__(self, run_id: str, expected: int, actual: int) -> None:
        super().__init__(f"run {run_id} is at version {actual}, not {expected}")
        self.run_id = run_id
        self.expected = expected
        self.actual = actual


class StoreUnavailable(StoreError):
    """The database could not be reached in time. Whether a pending append was stored is not known."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the database cannot be reached: {reason}")
        self.reason = reason


class ValueRefused(StoreError):
    """A value that the database cannot keep: a NUL character, half a surrogate pair, an integer beyond 64 bits."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LogRefused(StoreError):
    """A trigger of the log refuses an event; `rule` is one of the names in LOG_RULES."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


class LogUnfoldable(StoreError):
    """The events of a run cannot be folded: a bug, or a log that another program has written."""

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"the log of run {run_id} cannot be folded: {reason}")
        self.run_id = run_id
        self.reason = reason


class DatabaseUnsuitable(StoreError):
    """This database cannot be used as it is (URL, encoding, rights). Waiting does not help."""


class MigrationRefused(DatabaseUnsuitable):
    """The database was migrated by other files than those of this release."""


_READ_ONLY = "25006"
"""SQLSTATE of a write that a read-only server refuses: another one is the primary now, or this one will be again."""

IMPORTED_IS_READ_ONLY = "imported_is_read_only"

LOG_RULES = {
    "FR001": "nothing_after_complete",
    "FR002": "no_gap",
    "FR003": "start_is_first",
    "FR004": "append_only",
    "FR005": "hash_after_hash",
    "FR006": IMPORTED_IS_READ_ONLY,
}
"""SQLSTATE that the triggers of the log raise → the rule that was broken."""


_ERASED_ORIGIN = "FR007"
"""SQLSTATE that `flex_append` raises for a run that is made from one that was erased."""


def is_passing(error: psycopg.Error) -> bool:
    """Whether trying again later may help: a lost connection, a restart, a failover, a deadlock, a full disk."""
    if error.sqlstate in LOG_RULES or error.sqlstate == _ERASED_ORIGIN:
        return False  # psycopg makes an OperationalError of an SQLSTATE that it does not know
    return error.sqlstate == _READ_ONLY or isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    )


_MISCONFIGURED = re.compile(
    r"authentication failed|no password supplied|(database|role) \".*\" does not exist|no pg_hba\.conf entry"
    r"|permission denied for database|not permitted to log in|SSL|certificate",
    re.IGNORECASE,
)
"""Messages of libpq and the server to a connection that will be refused again. They come without an SQLSTATE."""

_UNREACHABLE_CLASSES = ("08", "57P", "53", _READ_ONLY)


def is_unreachable(error: psycopg.Error) -> bool:
    """Whether the server cannot be reached at the moment; False for one that refuses this account or database."""
    if not isinstance(error, psycopg.OperationalError):
        return error.sqlstate == _READ_ONLY
    if error.sqlstate is None:
        return _MISCONFIGURED.search(str(error)) is None
    return error.sqlstate.startswith(_UNREACHABLE_CLASSES)


def brief(error: BaseException | None) -> str:
    """A driver error in one line, for logs and messages."""
    words = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return words or " ".join(str(error).split())


def explain(error: psycopg.Error) -> str:
    """A sentence for the user of a command: what is wrong with the database, and what to do about it."""
    match error:
        case psycopg.errors.InsufficientPrivilege():
            return (
                f"the database role has no right to do this ({brief(error)}); migrate with the owner of the tables, who"
                " needs create on the schema and the database"
            )
        case psycopg.errors.UndefinedTable() | psycopg.errors.UndefinedColumn():
            return (
                f"flexrun's tables are not there, or are older ({brief(error)}); run flexrun db migrate first"
            )
        case psycopg.errors.LockNotAvailable():
            return (
                f"another process has the lock for too long ({brief(error)}); it may be migrating, try again"
            )
        case psycopg.OperationalError() | psycopg.InterfaceError() if error.sqlstate is None:
            return f"the database cannot be reached: {brief(error)}"
        case _:
            return f"the database refuses: {brief(error)}"


def translate(error: psycopg.Error) -> StoreError | RunErased:
    """The store's error for a driver error that a retry would not resolve."""
    text = brief(error)
    if error.sqlstate == _ERASED_ORIGIN:
        return RunErased(text)
    rule = LOG_RULES.get(error.sqlstate or "")
    if rule is not None:
        return LogRefused(rule, text)
    if isinstance(error, psycopg.DataError | psycopg.NotSupportedError):
        return ValueRefused(f"the database cannot keep this value: {text}")
    if isinstance(error, psycopg.IntegrityError):
        return LogRefused(error.diag.constraint_name or "integrity", text)
    return StoreUnavailable(text)
