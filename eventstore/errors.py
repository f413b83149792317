"""What the store may answer instead of doing it. Driver errors are translated here, once."""

from __future__ import annotations

import re

import psycopg


class StoreError(Exception):
    """Anything that the store refuses or cannot do."""


class VersionConflict(StoreError):
    """Somebody else has appended to this run first: load it again and decide again."""

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
    """The log's own rules refuse an event; `rule` is one of the names in LOG_RULES."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule
        self.reason = reason


class LogUnfoldable(StoreError):
    """What the log tells of a run cannot be: a bug, or a log from another world."""

    def __init__(self, run_id: str, reason: str) -> None:
        super().__init__(f"the log of run {run_id} cannot be folded: {reason}")
        self.run_id = run_id
        self.reason = reason


class DatabaseUnsuitable(StoreError):
    """This database cannot be used as it is: a URL that is none, another encoding, no rights. Waiting does not help."""


class MigrationRefused(DatabaseUnsuitable):
    """The database was migrated by other files than these."""


_READ_ONLY = "25006"
"""SQLSTATE of a write that a read-only server refuses: another one is the primary now, or this one will be again."""

LOG_RULES = {
    "FR001": "nothing_after_complete",
    "FR002": "no_gap",
    "FR003": "start_is_first",
    "FR004": "append_only",
}
"""SQLSTATE that the triggers of the log raise → the rule that was broken."""


def is_passing(error: psycopg.Error) -> bool:
    """Whether trying again later may help: a lost connection, a restart, a failover, a deadlock, a full disk."""
    if error.sqlstate in LOG_RULES:
        return False  # the driver takes SQLSTATEs that it does not know for operational trouble
    return error.sqlstate == _READ_ONLY or isinstance(
        error, psycopg.OperationalError | psycopg.InterfaceError
    )


_MISCONFIGURED = re.compile(
    r"authentication failed|no password supplied|(database|role) \".*\" does not exist|no pg_hba\.conf entry"
    r"|permission denied for database|not permitted to log in|SSL|certificate",
    re.IGNORECASE,
)
"""What libpq and the server say to a connection that will be refused the next time too. They come without SQLSTATE."""

_UNREACHABLE_CLASSES = ("08", "57P", "53", _READ_ONLY)


def is_unreachable(error: psycopg.Error) -> bool:
    """Whether the server is not there at the moment, as opposed to one that refuses this account or database."""
    if not isinstance(error, psycopg.OperationalError):
        return error.sqlstate == _READ_ONLY
    if error.sqlstate is None:
        return _MISCONFIGURED.search(str(error)) is None
    return error.sqlstate.startswith(_UNREACHABLE_CLASSES)


def brief(error: BaseException | None) -> str:
    """One line about a driver error, for logs and for people."""
    words = error.diag.message_primary if isinstance(error, psycopg.Error) else None
    return words or " ".join(str(error).split())


def explain(error: psycopg.Error) -> str:
    """A sentence for a person who has just asked something of the database: what is wrong, and what to do about it."""
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


def translate(error: psycopg.Error) -> StoreError:
    """The domain's word for a driver error that stays."""
    text = brief(error)
    rule = LOG_RULES.get(error.sqlstate or "")
    if rule is not None:
        return LogRefused(rule, text)
    if isinstance(error, psycopg.DataError | psycopg.NotSupportedError):
        return ValueRefused(f"the database cannot keep this value: {text}")
    if isinstance(error, psycopg.IntegrityError):
        return LogRefused(error.diag.constraint_name or "integrity", text)
    return StoreUnavailable(text)
