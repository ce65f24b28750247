"""Builds the table that counts tokens offline: byte pairs, joined in the order of how often they stand together.

    python scripts/build_counts.py FOLDER... [--tokens 40000] [--out lookahead/models/counts.bpe]

Reads every text file below the folders; the folders that the shipped table was built from held manual pages,
documentation, source code, JSON and HTML, one fifth of them left out to measure with.
"""

import argparse
import heapq
import lzma
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PIECE = re.compile(r"'(?:[sdmt]|ll|ve|re)|[^\r\n\w]?[^\W\d_]+|\d| ?(?:[^\s\w]|_)+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
MOST = 16
"""Bytes in a token. Longer ones are rare, and cost more room than they are worth."""


def pieces(folders: list[Path], most: int) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.stat().st_size <= most:
                text = path.read_text(encoding="utf-8", errors="replace")
                found.update(piece.encode() for piece in PIECE.findall(text))
    return Counter({piece: count for piece, count in found.items() if count > 1 and len(piece) > 1})


def tokens(counted: Counter[bytes], wanted: int) -> Iterator[bytes]:
    """Single bytes first, then the pair that is seen most often, joined, and so on."""
    yield from (bytes([byte]) for byte in range(256))
    words = [[bytes([byte]) for byte in piece] for piece in counted]
    weights = list(counted.values())
    seen: Counter[tuple[bytes, bytes]] = Counter()
    where: dict[tuple[bytes, bytes], set[int]] = defaultdict(set)
    for index, word in enumerate(words):
        for pair in pairwise(word):
            seen[pair] += weights[index]
            where[pair].add(index)
    heap = [(-count, pair) for pair, count in seen.items()]
    heapq.heapify(heap)
    known = {bytes([byte]) for byte in range(256)}
    while heap and len(known) < wanted:
        count, pair = heapq.heappop(heap)
        joined = pair[0] + pair[1]
        if -count != seen[pair] or not count or len(joined) > MOST:
            continue
        touched: Counter[tuple[bytes, bytes]] = Counter()
        for index in where.pop(pair, ()):
            word, weight = words[index], weights[index]
            for old in pairwise(word):
                touched[old] -= weight
            place = 0
            while place < len(word) - 1:
                if (word[place], word[place + 1]) == pair:
                    word[place : place + 2] = [joined]
                place += 1
            for new in pairwise(word):
                touched[new] += weight
                where[new].add(index)
        for other, change in touched.items():
            if change:
                seen[other] += change
                heapq.heappush(heap, (-seen[other], other))
        seen[pair] = 0
        if joined not in known:
            known.add(joined)
            yield joined


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--tokens", type=int, default=40_000)
    parser.add_argument("--most", type=int, default=400_000, help="bytes of the largest file that is read")
    parser.add_argument("--out", type=Path, default=Path("lookahead/models/counts.bpe"))
    said = parser.parse_args()
    table = list(tokens(pieces(said.folders, said.most), said.tokens))
    packed = b"".join(bytes([len(token)]) + token for token in table)
    said.out.write_bytes(lzma.compress(packed, preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(table)} tokens, {said.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
