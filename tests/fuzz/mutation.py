"""Random damage to valid inputs: what a fuzzer does that is not guided by coverage."""

import copy
import json
from typing import Any

import numpy as np

_EXTREMES = (b"\xff" * 4, b"\0" * 4, b"\x7f" + b"\xff" * 3, b"\0\0\xff\xff")


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Return the file after one to four damages: bits, lengths, cuts, swaps and repeats."""
    for _ in range(int(random.integers(1, 5))):
        # Half of the damage goes to the first bytes, where the structure is.
        reach = len(data) if random.integers(2) else min(len(data), 200)
        first, second = sorted(int(place) for place in random.integers(2, max(reach, 4), 2))
        match int(random.integers(7)):
            case 0:
                flipped = data[first : first + 1] or b"\0"
                data = (
                    data[:first]
                    + bytes([flipped[0] ^ 1 << int(random.integers(8))])
                    + (data[first + 1 :])
                )
            case 1:
                data = data[:first]
            case 2:
                data = data[:first] + data[second:]
            case 3:
                data = (
                    data[:second] + data[first:second] * int(random.integers(1, 50)) + data[second:]
                )
            case 4:
                data = data[:first] + _EXTREMES[int(random.integers(4))] + data[first + 4 :]
            case 5:
                data = data[:first] + random.bytes(int(random.integers(1, 20))) + data[first:]
            case _:
                middle = (first + second) // 2
                data = data[:first] + data[middle:second] + data[first:middle] + data[second:]
    return data


_WORDS = ("", "\0", "\ud800", "%ff", "../a", "\r\nX: y", "9" * 99)
_VALUES: tuple[Any, ...] = (None, True, 0, -1, 1e308, *_WORDS, [], {}, [[]])


def damaged_document(data: bytes, random: np.random.Generator) -> bytes:
    """Return a JSON document after one to four changes to its values: it stays a document."""
    document = json.loads(data)
    for _ in range(int(random.integers(1, 5))):
        places: list[tuple[Any, Any]] = []
        _collect(document, places)
        if not places:
            break
        holder, key = places[int(random.integers(len(places)))]
        value = holder[key]
        match int(random.integers(4)):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(value, str):
                raw = damaged(value.encode(errors="replace"), random)
                holder[key] = raw.decode("utf-8", "replace")
            case 2 if isinstance(value, list):
                holder[key] = copy.deepcopy(value) * 3
            case _:
                holder[key] = copy.deepcopy(_VALUES[int(random.integers(len(_VALUES)))])
    return json.dumps(document).encode()


def damaged_input(data: bytes, random: np.random.Generator, *, is_document: bool) -> bytes:
    """Return an input after damage to its bytes; every second document to its values instead."""
    if is_document and random.integers(2):
        return damaged_document(data, random)
    return damaged(data, random)


def _collect(value: Any, places: list[tuple[Any, Any]]) -> None:
    """Add every place of a document: a holder, and the key or the index there."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else range(len(value))
        for key in keys:
            places.append((value, key))
            _collect(value[key], places)
