"""ONNX files of a few nodes, written byte by byte: the tests run without the package onnx."""

from collections.abc import Sequence

FLOAT, FLOAT16 = 1, 10
"""ONNX's numbers of the types of tensors."""

Input = tuple[str, int, Sequence[int | str] | None]
"""A name, a type and the sides, if they are told; a side that is a text is not fixed."""

PICTURE: Input = ("x", FLOAT, (1, 3, 64, 64))
MEAN: Sequence[str] = ("ReduceMean x y",)
"""The mean over the colours: a matte of the picture's own values."""

_INTEGER, _INTEGERS = 2, 7  # types of attributes
_ATTRIBUTES: dict[str, tuple[str, int, int, int]] = {  # name, type, field, value
    "ReduceMean": ("axes", _INTEGERS, 8, 1),
    "Squeeze": ("axes", _INTEGERS, 8, 1),
    "Concat": ("axis", _INTEGER, 3, 1),
}


def onnx_file(
    nodes: Sequence[str] = MEAN,
    inputs: Sequence[Input] = (PICTURE,),
    elsewhere: Sequence[str] = (),
) -> bytes:
    """Return a file whose nodes are each a line: the operator, its inputs, its output.

    ``elsewhere`` names weights whose values are in another file.
    """
    graph = b"".join(_message(1, _node(*line.split())) for line in nodes)
    graph += _text(2, "tiny")
    graph += b"".join(_message(5, _weight(name)) for name in elsewhere)
    graph += b"".join(_message(11, _value(*each)) for each in inputs)
    graph += _message(12, _value("y", inputs[0][1], None))
    return _number(1, 7) + _message(7, graph) + _message(8, _number(2, 12))


def _node(kind: str, *names: str) -> bytes:
    *inputs, output = names
    node = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, kind)
    if kind in _ATTRIBUTES:
        name, form, field, value = _ATTRIBUTES[kind]
        node += _message(5, _text(1, name) + _number(20, form) + _number(field, value))
    return node


def _value(name: str, form: int, sides: Sequence[int | str] | None) -> bytes:
    tensor = _number(1, form)
    if sides is not None:
        dimensions = [_text(2, s) if isinstance(s, str) else _number(1, s) for s in sides]
        tensor += _message(2, b"".join(_message(1, each) for each in dimensions))
    return _text(1, name) + _message(2, _message(1, tensor))


def _weight(name: str) -> bytes:
    """Return one number, whose value is in another file."""
    place = _text(1, "location") + _text(2, "weights.bin")
    return _number(1, 1) + _number(2, FLOAT) + _text(8, name) + _message(13, place) + _number(14, 1)


def _number(field: int, value: int) -> bytes:
    return _variable(field << 3) + _variable(value)


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, data: bytes) -> bytes:
    return _variable(field << 3 | 2) + _variable(len(data)) + data


def _variable(value: int) -> bytes:
    """Return a number as protobuf writes it: seven bits a byte, the lowest first."""
    if value < 128:
        return bytes([value])
    return bytes([value & 127 | 128]) + _variable(value >> 7)
