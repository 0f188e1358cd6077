"""Colour spaces that a file names by numbers → ICC profiles, so that one way leads to sRGB.

The numbers are code points (ITU-T H.273), as HEIC, AVIF and PNG have them, or PNG's gamma and
chromaticities. The profiles are those of a display: a matrix and a curve (ICC.1:2022, 8.3.2).
"""

import struct

import numpy as np
from numpy.typing import NDArray

_D65, _DCI_WHITE = (0.3127, 0.3290), (0.314, 0.351)
_SRGB = ((0.640, 0.330), (0.300, 0.600), (0.150, 0.060), _D65)  # red, green, blue, white: x, y
_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_PRIMARIES = {
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),  # BT.2020 and BT.2100
    11: (*_P3, _DCI_WHITE),
    12: (*_P3, _D65),  # Display P3
}
"""The code points of primaries whose colours differ from sRGB's visibly (H.273, table 2)."""
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}  # code points of transfer characteristics (H.273, table 3)
_PQ = 16
_SAME_XY = 0.001  # by what libpng lets a chromaticity of sRGB differ
_SAME_GAMMA = 0.05  # and which part a gamma
_LEAST_GAMMA = 0.00016  # libpng's: the exponent of a smaller one does not fit into a profile

_WHITE_NITS, _PEAK_NITS = 203, 1_000
"""The luminance of a white page in HDR (BT.2408, 2.1), and of the brightest highlight that is not
white in the result: what displays for HDR reach, and films for them are made for."""
_M1, _M2, _C1, _C2, _C3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875  # of PQ
_PQ_STEPS = 4096

_D50 = (0.9642, 1.0, 0.8249)
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_LARGEST = 2.0  # of a primary's X, Y and Z, which add up to D50's; more is nonsense

Chromaticities = tuple[tuple[float, float], ...]
"""x and y of red, green, blue and white (CIE 1931)."""


def profile_of_code_points(primaries: int, transfer: int) -> bytes:
    """Return the ICC profile of two code points; nothing where they mean sRGB, or are not known.

    The curves of television (1, 6, 14, 15) are taken for sRGB's, as still pictures with them are
    meant. So is HLG (18): it is made to be shown as it is where there is no HDR (BT.2100). PQ (16)
    says how bright each colour is: up to 90 cd/m² it keeps that (a white page has 203), and above
    it is compressed (BT.2390, 5.4.1), so that highlights up to 1,000 cd/m² are told apart.
    """
    chromaticities = _PRIMARIES.get(primaries, _SRGB)
    if transfer == _PQ:
        return _profile(chromaticities, _table_curve(_from_pq(np.linspace(0, 1, _PQ_STEPS))))
    if transfer in _GAMMAS:
        return _profile(chromaticities, _power_curve(_GAMMAS[transfer]))
    return b"" if chromaticities == _SRGB else _profile(chromaticities, _srgb_curve())


def profile_of_gamma(gamma: float | None, chromaticities: Chromaticities | None) -> bytes:
    """Return the ICC profile of a PNG's gamma, such as 0.45, and chromaticities, each if known.

    Nothing is returned where they are about those of sRGB, or make no sense.
    """
    if chromaticities is None or np.allclose(chromaticities, _SRGB, rtol=0, atol=_SAME_XY):
        chromaticities = _SRGB
    if gamma is None or abs(gamma * 2.2 - 1) <= _SAME_GAMMA:
        return b"" if chromaticities == _SRGB else _profile(chromaticities, _srgb_curve())
    return _profile(chromaticities, _power_curve(1 / gamma)) if gamma >= _LEAST_GAMMA else b""


def _from_pq(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the linear light, 0..1, 1 being white, that shows a signal of PQ, 0..1."""
    peak, white = _to_pq(_PEAK_NITS), _to_pq(_WHITE_NITS)
    share, top = np.minimum(signal / peak, 1), white / peak
    knee = 1.5 * top - 0.5
    t = np.maximum(share - knee, 0) / (1 - knee)
    rounded = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    rounded += (3 * t**2 - 2 * t**3) * top
    power = (np.where(share < knee, share, rounded) * peak) ** (1 / _M2)
    nits: NDArray[np.float64] = 10_000 * (np.maximum(power - _C1, 0) / (_C2 - _C3 * power)) ** (
        1 / _M1
    )
    return np.clip(nits / _WHITE_NITS, 0, 1)


def _to_pq(nits: float) -> float:
    """Return the signal of PQ, 0..1, of a luminance in cd/m² (SMPTE ST 2084)."""
    power: float = (nits / 10_000) ** _M1
    signal: float = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return signal


def _profile(chromaticities: Chromaticities, curve: bytes) -> bytes:
    """Return an ICC profile of the chromaticities, with one curve for the three channels."""
    columns = _primaries_at_d50(chromaticities)
    if columns is None:
        return b""
    tags = {b"wtpt": _xyz(_D50)}
    tags |= {
        name + b"XYZ": _xyz(columns[:, number]) for number, name in enumerate((b"r", b"g", b"b"))
    }
    tags |= {name + b"TRC": curve for name in (b"r", b"g", b"b")}
    table, body, start = [struct.pack(">I", len(tags))], [], 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        body.append(content + bytes(-len(content) % 4))
        table.append(struct.pack(">4sII", name, start, len(content)))
        start += len(body[-1])
    head = struct.pack(">I4xI4s4s4s12x4s", start, 0x04200000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return b"".join([head, bytes(28), _xyz(_D50)[8:], bytes(48), *table, *body])


def _primaries_at_d50(chromaticities: Chromaticities) -> NDArray[np.float64] | None:
    """Return X, Y and Z, the rows, of red, green and blue under D50; ``None`` for nonsense."""
    if min(y for _, y in chromaticities) <= 0:
        return None
    xyz = np.array([(x / y, 1, (1 - x - y) / y) for x, y in chromaticities]).T
    colours, white = xyz[:, :3], xyz[:, 3]
    try:
        columns = colours * np.linalg.solve(colours, white)
        ratios = (_BRADFORD @ _D50) / (_BRADFORD @ white)
        adapted = np.linalg.solve(_BRADFORD, ratios[:, None] * (_BRADFORD @ columns))
    except np.linalg.LinAlgError:
        return None
    return adapted if np.abs(adapted).max() < _LARGEST else None


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(value * 65_536) for value in values))


def _xyz(values: tuple[float, ...] | NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*values)


def _power_curve(exponent: float) -> bytes:
    return b"para" + bytes(8) + _fixed(exponent)


def _srgb_curve() -> bytes:
    """Return the curve of sRGB (IEC 61966-2-1): a power, and a line near black."""
    line = _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    return b"para" + bytes(4) + struct.pack(">HH", 3, 0) + line


def _table_curve(values: NDArray[np.float64]) -> bytes:
    entries = np.rint(values * 65_535).astype(">u2").tobytes()
    return b"curv" + bytes(4) + struct.pack(">I", len(values)) + entries
