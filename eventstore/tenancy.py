"""For which tenant this process is just working: the scope of what the store reads.

A process works for every tenant (`EVERY_TENANT`), and says so to each connection. While a gateway answers a caller, it
works for the caller's tenant: the store shows nothing of another's then, and the connection says which one it is, so
that the database shows nothing of another's either. Tasks that outlive the request begin in `for_every_tenant`.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import Context as TaskContext
from contextvars import ContextVar, copy_context

from schemas.tenant import DEFAULT_TENANT

EVERY_TENANT = "*"
"""The scope of work for all; no tenant can have this name."""

_scope: ContextVar[str] = ContextVar("flexrun_tenant", default=EVERY_TENANT)


def scope() -> str:
    """The tenant that is just worked for, or EVERY_TENANT."""
    return _scope.get()


def tenant_of_scope() -> str:
    """The tenant that a list is of: the one that is worked for, and the default one where all are."""
    tenant = _scope.get()
    return DEFAULT_TENANT if tenant == EVERY_TENANT else tenant


def sees(tenant: str) -> bool:
    """Whether what belongs to `tenant` may be seen now."""
    return _scope.get() in (EVERY_TENANT, tenant)


def sees_shared(tenant: str, viewer: str | None = None) -> bool:
    """The same for what is shared with all where it belongs to the default tenant.

    By `viewer`, which is a tenant or EVERY_TENANT; None: the scope.
    """
    return tenant == DEFAULT_TENANT or (viewer or scope()) in (EVERY_TENANT, tenant)


@contextmanager
def working_for(tenant: str) -> Generator[None]:
    """Work for one tenant in the block, and in the tasks that it begins."""
    before = _scope.set(tenant)
    try:
        yield
    finally:
        _scope.reset(before)


def work_from_now_on_for(tenant: str) -> None:
    """Work for one tenant in the rest of this task, or of the block of `working_for` that it is in."""
    _scope.set(tenant)


def for_every_tenant() -> TaskContext:
    """The context of a task that works for all, whoever it was begun for."""
    context = copy_context()
    context.run(_scope.set, EVERY_TENANT)
    return context
