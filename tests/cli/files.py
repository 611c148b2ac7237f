# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG and safetensors in plain Python, so that the tests share no code with what they test."""

import json
import struct
import zlib


def write_png(path, width, height, pixel, channels=3):
    """pixel(x, y) gives a tuple of `channels` bytes: 1 grey, 3 RGB, 4 RGBA."""
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n")
        for kind, data in ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")):
            f.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


class Png:
    """width, height, channels, text (chunks by keyword) and [x, y] -> tuple, of an 8-bit file without interlace."""

    def __init__(self, path):
        data = open(path, "rb").read()
        assert data[:8] == b"\x89PNG\r\n\x1a\n", path
        at, packed, self.text = 8, b"", {}
        while at < len(data):
            size, kind = struct.unpack(">I4s", data[at:at + 8])
            chunk = data[at + 8:at + 8 + size]
            at += size + 12
            if kind == b"IHDR":
                self.width, self.height, depth, colour = struct.unpack(">IIBB", chunk[:10])
                assert depth == 8 and chunk[12] == 0
                self.channels = {0: 1, 2: 3, 6: 4}[colour]
            elif kind == b"IDAT":
                packed += chunk
            elif kind == b"tEXt":
                keyword, value = chunk.split(b"\0", 1)
                self.text[keyword.decode()] = value.decode("latin-1")
            elif kind == b"zTXt":
                keyword, value = chunk.split(b"\0", 1)
                self.text[keyword.decode()] = zlib.decompress(value[1:]).decode("latin-1")
        self.rows = self._unfilter(zlib.decompress(packed))

    def _unfilter(self, raw):
        step, stride, rows, before = self.channels, self.width * self.channels, [], None
        for y in range(self.height):
            kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
            before = before or bytes(stride)
            for i in range(stride):
                a, b = row[i - step] if i >= step else 0, before[i]
                c = before[i - step] if i >= step else 0
                if kind == 4:
                    p = a + b - c
                    guess = a if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - c) else b if abs(p - b) <= abs(p - c) else c
                else:
                    guess = (0, a, b, (a + b) // 2)[kind]
                row[i] = (row[i] + guess) & 255
            rows.append(bytes(row))
            before = row
        return rows

    def __getitem__(self, place):
        x, y = place
        return tuple(self.rows[y][x * self.channels:(x + 1) * self.channels])


TYPES = {"F32": "f", "I64": "q", "I32": "i", "F16": "e"}


def read_safetensors(path):
    """{name: (dtype, shape, bytes)}"""
    data = open(path, "rb").read()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[8 + size + t["data_offsets"][0]:8 + size + t["data_offsets"][1]])
            for name, t in header.items()}


def values(tensor):
    dtype, _, data = tensor
    kind = TYPES[dtype]
    return struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data)


def write_safetensors(path, tensors):
    header, blob = {}, b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(blob), len(blob) + len(data)]}
        blob += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + blob)


def distance(a, b):
    """max |a - b| / max |b|"""
    assert len(a) == len(b), (len(a), len(b))
    return max(abs(x - y) for x, y in zip(a, b)) / max(map(abs, b))
