"""The Merkle tree of RFC 9162 (and RFC 6962) over leaves that come one after the other."""

from __future__ import annotations

from hashlib import sha256


class MerkleTree:
    """Keeps the roots of the whole subtrees that the leaves so far make: one for each bit of their number."""

    def __init__(self) -> None:
        self.leaves = 0
        self._whole: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Append a leaf."""
        self.leaves += 1
        node = sha256(b"\0" + leaf).digest()
        size = self.leaves
        while size % 2 == 0:
            node = sha256(b"\1" + self._whole.pop() + node).digest()
            size //= 2
        self._whole.append(node)

    def root(self) -> str:
        """The root over all leaves so far, in hex."""
        if not self._whole:
            return sha256(b"").hexdigest()
        *whole, root = self._whole
        for node in reversed(whole):
            root = sha256(b"\1" + node + root).digest()
        return root.hex()
