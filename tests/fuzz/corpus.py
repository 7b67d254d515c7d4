#!/usr/bin/env python3
"""Writes the corpus that fuzzing begins with: corpus.py DIRECTORY, one folder a target, always the same files."""
import gzip
import os
import struct
import sys


def frame(how, kind, context=0, source=1, tag=0, length=0, cookie=0, signature=0, payload=b""):
    word = kind | context << 8
    head = struct.pack("<QiiQII", word, source, tag, length, cookie, signature)
    return bytes([how]) + head + struct.pack("<H", len(payload)) + payload


def frames():
    """Every kind of frame, in memory and landing, alone and in rows that belong together."""
    data = bytes(range(100))
    for kind in range(1, 16):
        for how in (2, 3, 6, 11, 15, 31):
            yield frame(how, kind, length=len(data), cookie=how, payload=data)
    yield frame(6, 1, payload=data) + frame(7, 1, payload=data * 50) + frame(2, 3, length=5000, payload=bytes(24))
    yield frame(4, 8, cookie=2) + frame(2, 3, length=8000, cookie=1, payload=bytes(24)) + frame(3, 6, cookie=1,
                                                                                             payload=data * 80)
    yield frame(8, 8, cookie=4) + frame(2, 5, length=8192, cookie=1) + frame(2, 7, cookie=1)
    yield frame(128 + 2, 13, length=4, payload=b"") + frame(2, 1, payload=b"abcd")
    for kind in (10, 11, 12):
        yield frame(0, kind, payload=bytes(300)) + frame(1, kind, payload=bytes(16))


def pieces(*parts):
    return b"".join(bytes([len(p)]) + p for p in parts)


def handshake():
    head = struct.pack("<Q", 0xF1 << 56 | 100) + bytes(32)
    hello = b"PEALtcp1" + struct.pack("<II", 1, 0) + bytes(48)
    yield b"\0" + pieces(hello)
    yield b"\0" + pieces(hello[:9], hello[9:], bytes(32))
    yield b"\0" + pieces(b"GET / HTTP/1.0\r\n\r\n")
    yield b"\0" + pieces(b"\x16\x03\x01\x02\x00\x01")
    yield b"\1" + pieces(head, bytes(100))
    yield b"\1" + pieces(head[:7], head[7:], bytes(50), bytes(50), head)
    yield b"\1" + pieces(struct.pack("<Q", 0xB7 << 56) + bytes(32))
    yield b"\1" + pieces(struct.pack("<Q", 0xF1 << 56 | 1 << 40) + bytes(32), bytes(200))


def cards():
    yield bytes(16) + b"\1" + b"\4" + bytes(6)
    yield b"(vector,(0,2,4),(3,1,1))"
    yield b"(vector,(0,1,3))"


def pmi():
    yield b"cmd=init pmi_version=1 pmi_subversion=1\ncmd=get_maxes\n"
    yield b"cmd=get_result rc=0 msg=success value=abcdef\n"
    yield b"cmd=put kvsname=peal-1 key=peal-tcp-0 value=00ff\ncmd=barrier_in\ncmd=finalize\n"


def hosts():
    yield b"alpha\nbeta:4\n# a comment\ngamma slots=8\n"
    yield b"user@[fd00::1]:2,beta,localhost:99999999999"


def channel():
    yield b"\0peal agent 1\n" + bytes(64)
    for kind in range(20):
        yield b"\1" + struct.pack("<IiI", kind, 0, 4) + b"text"
        yield b"\1" + struct.pack(">IiI", 4, kind, 0) + b"text"


def tuning():
    yield b"shm 300 0.2 0.1 # measured\ntcp 10000 0.5 0.1\nshm-oversubscribed 1 2 3\n"
    yield b"PEAL_TIMEOUT=3.5"
    yield b"PEAL_TRANSPORT=shm,tcp"
    yield b"PEAL_NET=10.0.0.0/8,^eth0"


def traces():
    head = b'[\n{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"rank 1 on node7","epoch_ns":"1700000000000000000"}},\n'
    call = b'{"name":"MPI_%s","ph":"X","pid":1,"tid":0,"ts":%d.%03d,"dur":%d.%03d,"args":{"messages":1,"bytes":%d}},\n'
    body = b"".join(call % (name, i, i, 7 * i, 999, i * 8) for i, name in enumerate([b"Send", b"Recv", b"Wait"] * 3))
    yield head + body
    yield head + body[:-20]
    yield head + body + b'{"name":"process_sort_index","ph":"M","pid":1,"tid":0,"args":{"sort_index":1}}]\n'
    yield body.replace(b"7", b"99999999999999999999")


def idx():
    images = struct.pack(">IIII", 0x803, 2, 3, 4) + bytes(24)
    labels = struct.pack(">II", 0x801, 2) + bytes([1, 9])
    for a, b in ((images, labels), (gzip.compress(images, mtime=0), labels), (images[:20], labels), (labels, images)):
        yield struct.pack("<H", len(a)) + a + b


def main():
    for target in (frames, handshake, cards, pmi, hosts, channel, traces, tuning, idx):
        folder = os.path.join(sys.argv[1], target.__name__)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(target()):
            with open(os.path.join(folder, "seed-%03d" % number), "wb") as out:
                out.write(data)


main()
