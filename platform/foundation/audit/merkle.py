"""The Merkle tree of RFC 6962 (section 2.1): roots, proofs, and their verification. Pure; standard library only.

A tree is seen through a function `node(level, index)` that gives the hash of a complete subtree: level 0 are the
leaves, and the subtree (level, index) covers the leaves from `index << level` to `(index + 1) << level`.
"""

import hashlib
from collections.abc import Callable, Sequence

Node = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf's content."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two siblings."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(size: int, node: Node) -> bytes:
    """The root of the first `size` leaves."""
    return _range(0, size, node) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf `index` in the tree of `size` leaves (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"There is no leaf {index} in a tree of {size}.")
    path: list[bytes] = []
    low, high = 0, size
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range(middle, high, node))
            high = middle
        else:
            path.append(_range(low, middle, node))
            low = middle
    return path[::-1]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """That the tree of `old` leaves is the beginning of the tree of `new` (RFC 6962, section 2.1.2)."""
    if not 0 < old <= new:
        raise ValueError(f"No proof leads from {old} leaves to {new}.")
    proof: list[bytes] = []
    low, high, whole = 0, new, True
    while old != high:
        middle = low + _split(high - low)
        if old <= middle:
            proof.append(_range(middle, high, node))
            high = middle
        else:
            proof.append(_range(low, middle, node))
            low, whole = middle, False
    if not whole:
        proof.append(_range(low, high, node))
    return proof[::-1]


def includes(*, leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether `proof` shows that the leaf hash stands at `index` under `root` (RFC 9162, section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, computed = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if first & 1 or first == last:
            computed = node_hash(sibling, computed)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            computed = node_hash(computed, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and computed == root


def extends(*, old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` shows that the new tree begins with the old one (RFC 9162, section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not path:
        return False
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    before = after = path[0]
    for sibling in path[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        first, last = first >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root


class CompactRange:
    """The root of a growing list of leaves, in logarithmic memory."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        complete = self.size
        while complete & 1:
            leaf = node_hash(self._peaks.pop(), leaf)
            complete >>= 1
        self._peaks.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the leaves so far."""
        if not self._peaks:
            return EMPTY_ROOT
        root = self._peaks[-1]
        for peak in self._peaks[-2::-1]:
            root = node_hash(peak, root)
        return root


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1


def _range(low: int, high: int, node: Node) -> bytes:
    width = high - low
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(width)
    return node_hash(_range(low, middle, node), _range(middle, high, node))
