"""Rules: XXH32, XXH64 and the 64 bits of XXH3, in Python (https://github.com/Cyan4973/xxHash, doc/xxhash_spec.md).

Written from the specification, for keys of a request's size: a microsecond for every few bytes.
"""

from __future__ import annotations

from struct import unpack_from
from typing import Final

_M32: Final = 0xFFFFFFFF
_M64: Final = 0xFFFFFFFFFFFFFFFF
_P32: Final = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1)
_P64: Final = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
_PMX: Final = (0x165667919E3779F9, 0x9FB21C651E98DF25)
_SECRET: Final = bytes.fromhex(
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6'
    '813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c8'
    '9f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95'
    '160428afd7fbcabb4b407e'
)
_STRIPE: Final = 64
_ACCUMULATORS: Final = (_P32[2], _P64[0], _P64[1], _P64[2], _P64[3], _P32[1], _P64[4], _P32[0])


def _rotate32(value: int, by: int) -> int:
    return (value << by | value >> (32 - by)) & _M32


def _rotate64(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _M64


def xxh32(data: bytes, seed: int = 0) -> int:
    """32 unsigned bits."""
    seed &= _M32
    size, at = len(data), 0
    if size >= 16:
        lanes = [(seed + _P32[0] + _P32[1]) & _M32, (seed + _P32[1]) & _M32, seed, (seed - _P32[0]) & _M32]
        while at <= size - 16:
            for place, word in enumerate(unpack_from('<4I', data, at)):
                lanes[place] = _rotate32((lanes[place] + word * _P32[1]) & _M32, 13) * _P32[0] & _M32
            at += 16
        value = sum(_rotate32(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True))
    else:
        value = seed + _P32[4]
    value = (value + size) & _M32
    while at <= size - 4:
        value = _rotate32((value + unpack_from('<I', data, at)[0] * _P32[2]) & _M32, 17) * _P32[3] & _M32
        at += 4
    for byte in data[at:]:
        value = _rotate32((value + byte * _P32[4]) & _M32, 11) * _P32[0] & _M32
    value = (value ^ value >> 15) * _P32[1] & _M32
    value = (value ^ value >> 13) * _P32[2] & _M32
    return value ^ value >> 16


def _round64(lane: int, word: int) -> int:
    return _rotate64((lane + word * _P64[1]) & _M64, 31) * _P64[0] & _M64


def _avalanche64(value: int) -> int:
    value = (value ^ value >> 33) * _P64[1] & _M64
    value = (value ^ value >> 29) * _P64[2] & _M64
    return value ^ value >> 32


def xxh64(data: bytes, seed: int = 0) -> int:
    """64 unsigned bits."""
    seed &= _M64
    size, at = len(data), 0
    if size >= 32:
        lanes = [(seed + _P64[0] + _P64[1]) & _M64, (seed + _P64[1]) & _M64, seed, (seed - _P64[0]) & _M64]
        while at <= size - 32:
            for place, word in enumerate(unpack_from('<4Q', data, at)):
                lanes[place] = _round64(lanes[place], word)
            at += 32
        value = sum(_rotate64(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _M64
        for lane in lanes:
            value = ((value ^ _round64(0, lane)) * _P64[0] + _P64[3]) & _M64
    else:
        value = seed + _P64[4]
    value = (value + size) & _M64
    while at <= size - 8:
        value = (_rotate64(value ^ _round64(0, unpack_from('<Q', data, at)[0]), 27) * _P64[0] + _P64[3]) & _M64
        at += 8
    if at <= size - 4:
        value = (_rotate64(value ^ (unpack_from('<I', data, at)[0] * _P64[0] & _M64), 23) * _P64[1] + _P64[2]) & _M64
        at += 4
    for byte in data[at:]:
        value = _rotate64(value ^ (byte * _P64[4] & _M64), 11) * _P64[0] & _M64
    return _avalanche64(value)


def _fold(one: int, other: int) -> int:
    """The two halves of a product, as one."""
    product = one * other
    return (product ^ product >> 64) & _M64


def _word(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 8], 'little')


def _half(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], 'little')


def _avalanche3(value: int) -> int:
    value = (value ^ value >> 37) * _PMX[0] & _M64
    return value ^ value >> 32


def _swap(value: int, size: int) -> int:
    return int.from_bytes(value.to_bytes(size, 'little'), 'big')


def xxh3(data: bytes, seed: int = 0) -> int:
    """64 unsigned bits."""
    seed &= _M64
    size = len(data)
    if size <= 16:
        return _short(data, size, seed)
    if size <= 128:
        return _medium(data, size, seed)
    return _up_to_240(data, size, seed) if size <= 240 else _long(data, size, seed)


def _short(data: bytes, size: int, seed: int) -> int:
    if size > 8:
        low = _word(data, 0) ^ ((_word(_SECRET, 24) ^ _word(_SECRET, 32)) + seed & _M64)
        high = _word(data, size - 8) ^ ((_word(_SECRET, 40) ^ _word(_SECRET, 48)) - seed & _M64)
        return _avalanche3((size + _swap(low, 8) + high + _fold(low, high)) & _M64)
    if size >= 4:
        seed ^= _swap(seed & _M32, 4) << 32
        joined = _half(data, size - 4) + (_half(data, 0) << 32)
        value = joined ^ ((_word(_SECRET, 8) ^ _word(_SECRET, 16)) - seed & _M64)
        value ^= _rotate64(value, 49) ^ _rotate64(value, 24)
        value = value * _PMX[1] & _M64
        value = (value ^ (value >> 35) + size) * _PMX[1] & _M64
        return value ^ value >> 28
    if size:
        joined = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        return _avalanche64(joined ^ ((_half(_SECRET, 0) ^ _half(_SECRET, 4)) + seed & _M64))
    return _avalanche64(seed ^ _word(_SECRET, 56) ^ _word(_SECRET, 64))


def _mix16(data: bytes, at: int, secret: int, seed: int) -> int:
    low, high = _word(data, at), _word(data, at + 8)
    return _fold(low ^ (_word(_SECRET, secret) + seed & _M64), high ^ (_word(_SECRET, secret + 8) - seed & _M64))


def _medium(data: bytes, size: int, seed: int) -> int:
    value = size * _P64[0] & _M64
    for step in range((size - 1) // 32, -1, -1):
        value += _mix16(data, 16 * step, 32 * step, seed) + _mix16(data, size - 16 * (step + 1), 32 * step + 16, seed)
    return _avalanche3(value & _M64)


def _up_to_240(data: bytes, size: int, seed: int) -> int:
    value = size * _P64[0] & _M64
    for step in range(8):
        value += _mix16(data, 16 * step, 16 * step, seed)
    value = _avalanche3(value & _M64)
    for step in range(8, size // 16):
        value += _mix16(data, 16 * step, 16 * (step - 8) + 3, seed)
    value += _mix16(data, size - 16, 136 - 17, seed)
    return _avalanche3(value & _M64)


def _seeded(seed: int) -> bytes:
    if not seed:
        return _SECRET
    pairs = (
        (_word(_SECRET, at) + seed & _M64, _word(_SECRET, at + 8) - seed & _M64) for at in range(0, len(_SECRET), 16)
    )
    return b''.join(low.to_bytes(8, 'little') + high.to_bytes(8, 'little') for low, high in pairs)


def _accumulate(lanes: list[int], data: bytes, at: int, secret: bytes, offset: int) -> None:
    words, keys = unpack_from('<8Q', data, at), unpack_from('<8Q', secret, offset)
    for place in range(8):
        keyed = words[place] ^ keys[place]
        lanes[place ^ 1] = lanes[place ^ 1] + words[place] & _M64
        lanes[place] = lanes[place] + (keyed & _M32) * (keyed >> 32) & _M64


def _long(data: bytes, size: int, seed: int) -> int:
    secret = _seeded(seed)
    lanes = list(_ACCUMULATORS)
    per_block = (len(secret) - _STRIPE) // 8
    stripes = (size - 1) // _STRIPE
    for stripe in range(stripes):
        _accumulate(lanes, data, stripe * _STRIPE, secret, stripe % per_block * 8)
        if stripe % per_block == per_block - 1:
            keys = unpack_from('<8Q', secret, len(secret) - _STRIPE)
            lanes[:] = [(lane ^ lane >> 47 ^ key) * _P32[0] & _M64 for lane, key in zip(lanes, keys, strict=True)]
    _accumulate(lanes, data, size - _STRIPE, secret, len(secret) - _STRIPE - 7)
    value = size * _P64[0] & _M64
    for place in range(0, 8, 2):
        low, high = lanes[place] ^ _word(secret, 11 + 8 * place), lanes[place + 1] ^ _word(secret, 19 + 8 * place)
        value += _fold(low, high)
    return _avalanche3(value & _M64)
