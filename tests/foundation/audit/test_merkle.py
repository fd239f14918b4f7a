"""The tree against the published roots of RFC 6962's reference implementation, and against a naive one of ours."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.audit.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    extends,
    includes,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)
from foundation.audit.tiles import HASH, WIDTH, Tiles, tile_path

DATA = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
sizes = st.integers(min_value=1, max_value=70)


def naive_root(leaves):
    """RFC 6962, section 2.1, word by word."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(naive_root(leaves[:split]), naive_root(leaves[split:]))


def made(count, salt=b""):
    return [leaf_hash(salt + number.to_bytes(4)) for number in range(count)]


def nodes_of(leaves):
    return lambda level, index: naive_root(leaves[index << level : (index + 1) << level])


def tiled(leaves):
    tiles = Tiles(0, lambda _level, _index: b"")
    for leaf in leaves:
        tiles.append(leaf)
    return tiles


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots(size):
    leaves = [leaf_hash(data) for data in DATA[:size]]
    compact = CompactRange()
    for leaf in leaves:
        compact.append(leaf)
    expected = bytes.fromhex(ROOTS[size - 1])
    assert root_of(size, nodes_of(leaves)) == compact.root() == tiled(leaves).root() == expected


def test_the_empty_tree():
    assert CompactRange().root() == EMPTY_ROOT == root_of(0, nodes_of([])) == tiled([]).root()


@given(sizes)
def test_compact_range_is_the_naive_root_at_every_size(size):
    compact, leaves = CompactRange(), made(size)
    for count, leaf in enumerate(leaves, start=1):
        compact.append(leaf)
        assert compact.root() == naive_root(leaves[:count])


@given(sizes, st.data())
def test_inclusion(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = made(size)
    root, proof = naive_root(leaves), inclusion_proof(index, size, nodes_of(leaves))
    assert includes(leaf=leaves[index], index=index, size=size, proof=proof, root=root)
    assert not includes(leaf=leaf_hash(b"other"), index=index, size=size, proof=proof, root=root)
    assert not includes(leaf=leaves[index], index=index, size=size, proof=[*proof, b"\0" * HASH], root=root)
    for other in set(range(size)) - {index}:
        assert not includes(leaf=leaves[index], index=other, size=size, proof=proof, root=root)
    for place in range(len(proof)):
        short = proof[:place] + proof[place + 1 :]
        assert not includes(leaf=leaves[index], index=index, size=size, proof=short, root=root)


@given(sizes, st.data())
def test_consistency(new, data):
    old = data.draw(st.integers(1, new))
    leaves, others = made(new), made(new, b"other")
    before, after = naive_root(leaves[:old]), naive_root(leaves)
    proof = consistency_proof(old, new, nodes_of(leaves))
    assert extends(old=old, old_root=before, new=new, new_root=after, proof=proof)
    assert not extends(old=old, old_root=naive_root(others[:old]), new=new, new_root=after, proof=proof)
    assert not extends(old=old, old_root=before, new=new, new_root=naive_root(others), proof=proof)
    assert not extends(old=old, old_root=before, new=new, new_root=after, proof=[*proof, b"\0" * HASH])
    if proof:
        assert not extends(old=old, old_root=before, new=new, new_root=after, proof=proof[:-1])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_no_proof_of_what_is_not_there(index, size):
    with pytest.raises(ValueError, match="no leaf"):
        inclusion_proof(index, size, nodes_of(made(3)))
    assert not includes(leaf=b"", index=index, size=size, proof=[], root=EMPTY_ROOT)


@pytest.mark.parametrize("stops", [(1, 255, 256, 257, 600), (300, 511, 512, 513), (65_535, 65_537)])
def test_tiles_grow_in_steps_and_are_stored_between(stops):
    store: dict[tuple[int, int], bytes] = {}
    leaves, size = made(stops[-1]), 0
    compact = CompactRange()
    for stop in stops:
        tiles = Tiles(size, lambda level, index: store.get((level, index), b""))
        for leaf in leaves[size:stop]:
            tiles.append(leaf)
            compact.append(leaf)
        store.update(tiles.changed)
        size = stop
        assert tiles.size == stop
        assert tiles.root() == compact.root()
    assert all(len(tile) == WIDTH * HASH for (level, index), tile in store.items() if index < size >> 8 * (level + 1))
    whole = Tiles(size, lambda level, index: store.get((level, index), b""))
    index = size // 3
    proof = inclusion_proof(index, size, whole.node)
    assert includes(leaf=leaves[index], index=index, size=size, proof=proof, root=compact.root())


def test_a_lost_tile_is_noticed():
    with pytest.raises(ValueError, match="too short"):
        Tiles(3, lambda _level, _index: b"").root()


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 0, 256, "tile/0/000"),
        (0, 1_234_067, 256, "tile/0/x001/x234/067"),
        (1, 255, 3, "tile/1/255.p/3"),
        (2, 1_000, 256, "tile/2/x001/000"),
    ],
)
def test_addresses_of_tiles(level, index, width, path):
    assert tile_path(level, index, width) == path
