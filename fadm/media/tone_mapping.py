"""Wide gamut and high dynamic range to BT.709 pixels: ITU-R BT.2100 light, its gamut, its highlights rolled off.

Numbers of primaries and transfer functions are those of ITU-T H.273. 203 cd/m2 is the white of BT.709 (ITU-R
BT.2408); an SDR display shows code values by gamma 2.4 (ITU-R BT.1886).
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_LINEAR, _PQ, _HLG = 8, 16, 18
_UNKNOWN_TRANSFERS = {9: "logarithmic", 10: "logarithmic", 17: "SMPTE ST 428"}
_UNKNOWN_PRIMARIES = {10: "CIE XYZ"}

_BT709 = 1
# Chromaticities x, y of red, green, blue (H.273, table 2); those of older television count as BT.709's.
_PRIMARIES = {
    _BT709: ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),  # BT.2020
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # P3, its white adapted to D65
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),  # P3 with D65
}
_D65 = (0.3127, 0.3290)

_WHITE = 203.0  # cd/m2
_HLG_PEAK = 1000.0  # cd/m2, of the display that BT.2100's system gamma of 1.2 is for
_HLG_WEIGHTS = np.array([0.2627, 0.6780, 0.0593], np.float32)  # luminance of BT.2020
_GAMMA = 2.4

_KNEE = 0.9  # of white: light up to here stays as it is
_PEAK = 1000.0 / _WHITE  # light that becomes full white
_NUM_CODES = 1 << 16
_LAST_STEP = (1 << 12) - 1  # steps of the square root of light in the table of code values
_BLOCK = 1 << 15  # pixels converted at a time, so that they stay in the processor's cache


def needs_mapping(primaries: int, transfer: int) -> bool:
    """Tell whether pixels of these colours would look wrong if shown as BT.709.

    Args:
        primaries: Number of the primaries in H.273; unspecified ones count as BT.709.
        transfer: Number of the transfer function in H.273; unspecified ones count as BT.709.

    Returns:
        Whether `map_to_bt709` changes them.
    """
    return transfer in (_LINEAR, _PQ, _HLG) or (primaries in _PRIMARIES and primaries != _BT709)


def explain_unknown(primaries: int, transfer: int) -> str | None:
    """Name colours that cannot be mapped to BT.709.

    Args:
        primaries: Number of the primaries in H.273.
        transfer: Number of the transfer function in H.273.

    Returns:
        What they are; None if they can be mapped, or are BT.709's.
    """
    if transfer in _UNKNOWN_TRANSFERS:
        return f"the {_UNKNOWN_TRANSFERS[transfer]} transfer function"
    if primaries in _UNKNOWN_PRIMARIES:
        return f"{_UNKNOWN_PRIMARIES[primaries]} primaries"
    return None


def map_to_bt709(codes: NDArray[np.uint16], primaries: int, transfer: int) -> NDArray[np.uint8]:
    """Convert code values to BT.709 for an SDR display.

    Light up to 0.9 of white keeps its value and hue; brighter light is compressed, so that 203 cd/m2 becomes
    0.95 of white and 1000 cd/m2 white. Colours outside BT.709's gamut are clipped to it.

    Args:
        codes: (H, W, 3) RGB over the whole range of 16 bits.
        primaries: Number of the primaries in H.273.
        transfer: Number of the transfer function in H.273.

    Returns:
        uint8 (H, W, 3) RGB.
    """
    light_of, code_of = _light_table(transfer), _code_table()
    # HLG and PQ are used with BT.2020's primaries where a file does not name any.
    is_hdr = transfer in (_PQ, _HLG)
    matrix = _gamut_matrix(primaries if primaries in _PRIMARIES else 9 if is_hdr else _BT709)
    flat = codes.reshape(-1, 3)
    mapped = np.empty(flat.shape, np.uint8)
    for start in range(0, len(flat), _BLOCK):
        block = slice(start, start + _BLOCK)
        light = light_of[flat[block]]
        if transfer == _HLG:
            light *= np.power(light @ _HLG_WEIGHTS, 0.2)[:, None] * (_HLG_PEAK / _WHITE)
        light = np.maximum(light @ matrix, 0)
        if is_hdr:
            _roll_off(light)
        np.minimum(light, 1, out=light)
        mapped[block] = code_of[np.rint(np.sqrt(light) * _LAST_STEP).astype(np.uint16)]
    return mapped.reshape(codes.shape)


def _roll_off(light: NDArray[np.float32]) -> None:
    """Compress light above the knee in place, by one factor for the three channels so that the hue stays.

    The curve y = t (1 + t / p^2) / (1 + t) has slope 1 at t = 0 and reaches 1 at t = p.
    """
    brightest = light.max(axis=1)
    high = np.flatnonzero(brightest > _KNEE)
    if not len(high):
        return
    peak, given = (_PEAK - _KNEE) / (1 - _KNEE), brightest[high]
    t = np.minimum((given - _KNEE) / (1 - _KNEE), peak)
    y = t * (1 + t / peak**2) / (1 + t)
    light[high] *= ((_KNEE + (1 - _KNEE) * y) / given)[:, None]


@lru_cache(maxsize=4)
def _light_table(transfer: int) -> NDArray[np.float32]:
    """Tabulate the light of 16-bit code values: of a display, white = 1; for HLG of the scene, its peak = 1."""
    code = np.linspace(0, 1, _NUM_CODES)
    if transfer == _PQ:  # BT.2100, table 4
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10_000 / _WHITE * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    elif transfer == _HLG:  # BT.2100, table 5
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    else:
        light = code if transfer == _LINEAR else code**_GAMMA
    return light.astype(np.float32)


@lru_cache(maxsize=1)
def _code_table() -> NDArray[np.uint8]:
    """Tabulate 8-bit code values by the square root of light, whose steps are fine enough in the shadows."""
    root = np.linspace(0, 1, _LAST_STEP + 1)
    return np.rint(255 * root ** (2 / _GAMMA)).astype(np.uint8)


@lru_cache(maxsize=4)
def _gamut_matrix(primaries: int) -> NDArray[np.float32]:
    """Compute the (3, 3) matrix that takes rows of linear RGB to BT.709's primaries."""
    return (_rgb_to_xyz(primaries).T @ np.linalg.inv(_rgb_to_xyz(_BT709).T)).astype(np.float32)


def _rgb_to_xyz(primaries: int) -> NDArray[np.float64]:
    """Scale the primaries' columns so that they add up to D65 (SMPTE RP 177)."""
    columns: NDArray[np.float64] = np.array([(x / y, 1, (1 - x - y) / y) for x, y in _PRIMARIES[primaries]]).T
    white = np.array([_D65[0] / _D65[1], 1, (1 - _D65[0] - _D65[1]) / _D65[1]])
    return np.asarray(columns * np.linalg.solve(columns, white), np.float64)
