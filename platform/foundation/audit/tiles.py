"""The tree cut into tiles of up to 256 hashes, as C2SP tlog-tiles publishes them. Pure; standard library only.

The tile (level, index) holds the hashes of the complete subtrees of tree level `8 * level`, from `index * 256` on.
"""

from collections.abc import Callable

from foundation.audit.merkle import node_hash, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT
HASH = 32

Load = Callable[[int, int], bytes]


class Tiles:
    """A tree of `size` leaves that grows at its right edge; `load(level, index)` reads a stored tile.

    `changed` holds the tiles to be stored.
    """

    def __init__(self, size: int, load: Load) -> None:
        self.size = size
        self.changed: dict[tuple[int, int], bytes] = {}
        self._load = load
        self._loaded: dict[tuple[int, int], bytes] = {}

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash, and the tiles above when its tile is full."""
        level, position, digest = 0, self.size, leaf
        while True:
            index, offset = divmod(position, WIDTH)
            tile = (self._tile(level, index) if offset else b"") + digest
            self.changed[level, index] = tile
            if offset < WIDTH - 1:
                break
            level, position, digest = level + 1, index, _subtree(tile)
        self.size += 1

    def node(self, level: int, index: int) -> bytes:
        """The hash of the complete subtree (level, index) of the tree; see `merkle`."""
        row, depth = divmod(level, HEIGHT)
        first = index << depth
        tile, offset = divmod(first, WIDTH)
        hashes = self._tile(row, tile)[offset * HASH : (offset + (1 << depth)) * HASH]
        if len(hashes) != HASH << depth:
            raise ValueError(f"Tile {row}/{tile} is too short.")
        return _subtree(hashes)

    def root(self) -> bytes:
        """The root of the whole tree."""
        return root_of(self.size, self.node)

    def agrees_with(self, size: int, root: bytes) -> bool:
        """Whether the first `size` leaves have this root; false too when a stored tile is missing or too short."""
        try:
            return root_of(size, self.node) == root
        except ValueError:
            return False

    def _tile(self, level: int, index: int) -> bytes:
        key = level, index
        if key in self.changed:
            return self.changed[key]
        if key not in self._loaded:
            self._loaded[key] = self._load(level, index)
        return self._loaded[key]


def tile_path(level: int, index: int, width: int = WIDTH) -> str:
    """The address of a tile under the log's prefix (C2SP tlog-tiles, "Merkle Tree")."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.append(f"x{index % 1000:03}")
    partial = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(groups))}{partial}"


def _subtree(hashes: bytes) -> bytes:
    row = [hashes[start : start + HASH] for start in range(0, len(hashes), HASH)]
    while len(row) > 1:
        row = [node_hash(row[pair], row[pair + 1]) for pair in range(0, len(row), 2)]
    return row[0]
