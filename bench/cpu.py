"""CPU and memory used by flexrun, Postgres and RabbitMQ, told apart by their processes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

_TRIES = 10
_POSTGRES = "postgres"
_ERLANG = ("beam", "erl", "epmd")


@dataclass(frozen=True, slots=True)
class CpuSeconds:
    """User and system seconds so far."""

    flexrun: float
    postgres: float
    rabbitmq: float

    def __sub__(self, earlier: CpuSeconds) -> CpuSeconds:
        return CpuSeconds(
            self.flexrun - earlier.flexrun,
            self.postgres - earlier.postgres,
            self.rabbitmq - earlier.rabbitmq,
        )

    @property
    def engine(self) -> float:
        """All that a run costs, without the client."""
        return self.flexrun + self.postgres + self.rabbitmq


def read_cpu(engine_pids: Iterable[int]) -> CpuSeconds:
    """`engine_pids` are flexrun's processes; the servers are found among this process's descendants.

    A process that ends while it is being read would be missed or counted twice: then everything is read again.
    """
    pids = list(engine_pids)
    for _ in range(_TRIES):
        try:
            return _read(pids)
        except psutil.NoSuchProcess:
            continue
    return _read(pids)


def unshared_bytes(pid: int) -> int:
    """Memory that would be free if this process and its descendants of flexrun ended (USS): `up` serves in a child."""
    for _ in range(_TRIES):
        try:
            return sum(process.memory_full_info().uss for process in _tree(pid) if not _is_server(process))
        except psutil.NoSuchProcess:
            continue
    return psutil.Process(pid).memory_full_info().uss


def own_seconds() -> float:
    """What this process and everything it started have used so far, also those that have ended."""
    for _ in range(_TRIES):
        try:
            return sum(map(_seconds, _tree(os.getpid())))
        except psutil.NoSuchProcess:
            continue
    return sum(map(_seconds, _tree(os.getpid())))


def _read(engine_pids: Iterable[int]) -> CpuSeconds:
    flexrun = {process.pid: process for pid in engine_pids for process in _tree(pid)}
    postgres, rabbitmq = 0.0, 0.0
    for process in psutil.Process().children(recursive=True):
        if process.pid in flexrun:
            continue
        name = process.name()
        if name.startswith(_POSTGRES):
            postgres += _seconds(process)
        elif name.startswith(_ERLANG):
            rabbitmq += _seconds(process)
    return CpuSeconds(sum(map(_seconds, flexrun.values())), postgres, rabbitmq)


def _is_server(process: psutil.Process) -> bool:
    return process.name().startswith((_POSTGRES, *_ERLANG))


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _seconds(process: psutil.Process) -> float:
    """Of the process and of its children that have ended; live children are counted on their own."""
    times = process.cpu_times()
    return times.user + times.system + times.children_user + times.children_system
