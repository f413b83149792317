"""A mapping that keeps the most recently used entries."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """Holds at most `capacity` entries; the one that was not used for longest goes first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, Value] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """The value for `key`, which counts as used now; None when it is not there."""
        value = self._entries.get(key)
        if value is not None:
            self._entries.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        """Keep `value` under `key`, as the one used last."""
        self._entries[key] = value
        self._entries.move_to_end(key)
        if len(self._entries) > self._capacity:
            self._entries.popitem(last=False)

    def pop(self, key: Key) -> Value | None:
        """Forget `key`; its value, None when it was not there."""
        return self._entries.pop(key, None)

    def discard(self, key: Key) -> None:
        """Forget `key`, if it is there."""
        self._entries.pop(key, None)

    def discard_where(self, unwanted: Callable[[Key, Value], bool]) -> None:
        """Forget the entries that are `unwanted`."""
        for key in [key for key, value in self._entries.items() if unwanted(key, value)]:
            del self._entries[key]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
