"""Fingerprints of strings: FarmHash (Pike & Alakuijala 2014) without a key, SipHash-2-4 (Aumasson & Bernstein 2012)
with one. A fingerprint never changes, so bins found in one program are those of all others."""

_MASK = 2**64 - 1
# Odd constants of FarmHash's 64-bit fingerprint.
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F


def _word(data, start, size=8):
    return int.from_bytes(data[start : start + size], "little")


def _turned(x, bits):
    """A 64-bit word rotated to the right."""
    return (x >> bits | x << (64 - bits)) & _MASK


def _mixed(x):
    return x ^ (x >> 47)


def _joined(a, b, factor):
    """Two words made one."""
    a = _mixed((a ^ b) * factor & _MASK)
    return _mixed((b ^ a) * factor & _MASK) * factor & _MASK


def farmhash64(data):
    """The 64-bit fingerprint of bytes."""
    if len(data) <= 16:
        return _short(data)
    if len(data) <= 64:
        return _medium(data)
    return _long(data)


def _short(data):
    size = len(data)
    factor = (_K2 + 2 * size) & _MASK
    if size >= 8:
        a, b = (_word(data, 0) + _K2) & _MASK, _word(data, size - 8)
        return _joined((_turned(b, 37) * factor + a) & _MASK, (_turned(a, 25) + b) * factor & _MASK, factor)
    if size >= 4:
        return _joined(size + (_word(data, 0, 4) << 3), _word(data, size - 4, 4), factor)
    if size:
        y, z = data[0] + (data[size // 2] << 8), size + (data[-1] << 2)
        return _mixed((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _medium(data):
    """17 to 64 bytes: the first and last 16, and up to 32 from within."""
    size = len(data)
    factor = (_K2 + 2 * size) & _MASK
    a = _word(data, 0) * (_K1 if size <= 32 else _K2) & _MASK
    b = _word(data, 8)
    c = _word(data, size - 8) * factor & _MASK
    d = _word(data, size - 16) * _K2 & _MASK
    y = (_turned((a + b) & _MASK, 43) + _turned(c, 30) + d) & _MASK
    z = _joined(y, (a + _turned((b + _K2) & _MASK, 18) + c) & _MASK, factor)
    if size <= 32:
        return z
    e, f = _word(data, 16) * factor & _MASK, _word(data, 24)
    g = (y + _word(data, size - 32)) * factor & _MASK
    h = (z + _word(data, size - 24)) * factor & _MASK
    first = (_turned((e + f) & _MASK, 43) + _turned(g, 30) + h) & _MASK
    return _joined(first, (e + _turned((f + a) & _MASK, 18) + g) & _MASK, factor)


def _block(data, start, a, b):
    """Two words from 32 bytes and two words."""
    w, x, y, z = (_word(data, start + 8 * i) for i in range(4))
    a = (a + w) & _MASK
    b = _turned((b + a + z) & _MASK, 21)
    total = (a + x + y) & _MASK
    return (total + z) & _MASK, (b + _turned(total, 44) + a) & _MASK


def _long(data):
    """A state of seven words that takes in 64 bytes at a time; the last 64 come in once more, with another factor."""
    state = _start(data)
    last = (len(data) - 1) // 64 * 64
    for start in range(0, last, 64):
        state = _round(data, start, _K1, 1, *state)
    x, y, z, v, w = state
    factor = (_K1 + 2 * (z & 0xFF)) & _MASK
    rest = (len(data) - 1) % 64
    w0 = (w[0] + rest) & _MASK
    v0 = (v[0] + w0) & _MASK
    w0 = (w0 + v0) & _MASK
    x, y, z, v, w = _round(data, last + rest - 63, factor, 9, x, y, z, (v0, v[1]), (w0, w[1]))
    first = (_joined(v[0], w[0], factor) + _mixed(y) * _K0 + z) & _MASK
    return _joined(first, (_joined(v[1], w[1], factor) + x) & _MASK, factor)


def _start(data):
    seed = 81
    y = (seed * _K1 + 113) & _MASK
    z = _mixed((y * _K2 + 113) & _MASK) * _K2 & _MASK
    return (seed * _K2 + _word(data, 0)) & _MASK, y, z, (0, 0), (0, 0)


def _round(data, start, factor, times, x, y, z, v, w):
    x = _turned((x + y + v[0] + _word(data, start + 8)) & _MASK, 37) * factor & _MASK
    y = _turned((y + v[1] + _word(data, start + 48)) & _MASK, 42) * factor & _MASK
    x ^= w[1] * times & _MASK
    y = (y + v[0] * times + _word(data, start + 40)) & _MASK
    z = _turned((z + w[0]) & _MASK, 33) * factor & _MASK
    v = _block(data, start, v[1] * factor & _MASK, (x + w[0]) & _MASK)
    w = _block(data, start + 32, (z + w[1]) & _MASK, (y + _word(data, start + 16)) & _MASK)
    return z, y, x, v, w


def siphash64(data, key):
    """The 64-bit fingerprint of bytes for a key of two ints."""
    k0, k1 = (part & _MASK for part in key)
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]
    whole = len(data) // 8 * 8
    tail = _word(data, whole) | (len(data) & 0xFF) << 56
    for word in (*(_word(data, start) for start in range(0, whole, 8)), tail):
        v[3] ^= word
        _sip_rounds(v, 2)
        v[0] ^= word
    v[2] ^= 0xFF
    _sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_rounds(v, count):
    for _ in range(count):
        for a, b, left in ((0, 1, 13), (2, 3, 16), (0, 3, 21), (2, 1, 17)):
            v[a] = (v[a] + v[b]) & _MASK
            v[b] = _turned(v[b], 64 - left) ^ v[a]
            if left in (13, 17):
                v[a] = _turned(v[a], 32)


def joined_fingerprints(first, second):
    """One fingerprint of two, in their order (as TensorFlow crosses features; the mixing of MurmurHash 2)."""
    factor = 0xC6A4A7935BD1E995
    result = first ^ factor ^ _mixed(second * factor & _MASK) * factor & _MASK
    return _mixed(_mixed(result * factor & _MASK) * factor & _MASK)
