#!/usr/bin/env python3
"""Proves: 100,000 random values and messages with every kind and shape go from C to Python's msgpack and back unchanged, and
100,000 random values of Python's go to C and back. Argument: the program made from interchange.c."""
import os
import random
import struct
import subprocess
import sys

if "BRINE_INTERCHANGE" not in os.environ:
    # The python3 of the path may be a build without Debian's modules.
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import msgpack"], stderr=subprocess.DEVNULL).returncode == 0:
            os.environ["BRINE_INTERCHANGE"] = "1"
            os.execv(python, [python, *sys.argv])
    print("skipped: no python3 can import msgpack (Debian: apt-get install python3-msgpack)")
    sys.exit(77)

import msgpack  # noqa: E402

VALUES = 100_000
BATCH = 20_000
MESSAGES = 1_000


class Pairs(list):
    """A map as it came: order, duplicates and keys that no dict could have."""


def unpack(data):
    unpacker = msgpack.Unpacker(object_pairs_hook=Pairs, strict_map_key=False, max_buffer_size=len(data) + 1)
    unpacker.feed(data)
    return list(unpacker)


def pack(value, packer):
    if isinstance(value, Pairs):
        return packer.pack_map_header(len(value)) + b"".join(pack(k, packer) + pack(v, packer) for k, v in value)
    if isinstance(value, list):
        return packer.pack_array_header(len(value)) + b"".join(pack(item, packer) for item in value)
    return packer.pack(value)


def run(program, *arguments, data=b""):
    done = subprocess.run([program, *map(str, arguments)], input=data, stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"interchange {' '.join(map(str, arguments))} failed")
    return done.stdout


def from_c_and_back(program, kind, count, seed):
    values = unpack(run(program, kind, seed, count))
    if len(values) != count:
        sys.exit(f"{kind}: {len(values)} of {count} arrived")
    packer = msgpack.Packer()
    run(program, "compare-" + kind, seed, count, data=b"".join(pack(value, packer) for value in values))


def random_scalar(rng):
    size = rng.choice((0, 1, 5, 31, 32, 255, 256)) if rng.random() < 0.2 else rng.randrange(8)
    return rng.choice((
        lambda: None,
        lambda: rng.random() < 0.5,
        lambda: rng.getrandbits(rng.randrange(1, 65)),
        lambda: -1 - rng.getrandbits(rng.randrange(1, 64)),
        lambda: rng.choice((rng.random(), -0.0, float("inf"), 5e-324, 1e300, struct.unpack("f", rng.randbytes(3) + b"\x3f")[0])),
        lambda: "".join(rng.choice("aZ0\"\n\0é€🥒") for _ in range(size)),
        lambda: rng.randbytes(size),
        lambda: msgpack.ExtType(rng.randrange(128), rng.randbytes(size)),
        lambda: msgpack.Timestamp(rng.randrange(-2**34, 2**35), rng.randrange(10**9)),
    ))()


def random_value(rng, levels):
    shape = rng.randrange(10) if levels else 0
    count = 20 if rng.randrange(50) == 0 else rng.randrange(4)
    if shape == 8:
        return [random_value(rng, levels - 1) for _ in range(count)]
    if shape == 9:
        return Pairs((random_value(rng, levels - 1), random_value(rng, levels - 1)) for _ in range(count))
    return random_scalar(rng)


def from_python_and_back(program, count, seed):
    rng = random.Random(seed)
    packers = msgpack.Packer(), msgpack.Packer(use_single_float=True)
    values = [random_value(rng, 5) for _ in range(count)]
    sent = b"".join(pack(value, packers[i % 2]) for i, value in enumerate(values))
    back = run(program, "echo", data=sent)
    # Both sides write the shortest form, so equal values are equal bytes.
    if back != sent:
        sys.exit("values of Python's came back changed")
    if len(unpack(back)) != count:
        sys.exit("values of Python's were lost")


def main():
    program = sys.argv[1]
    for batch in range(VALUES // BATCH):
        from_c_and_back(program, "values", BATCH, 1 + batch)
        from_python_and_back(program, BATCH, 1 + batch)
    from_c_and_back(program, "messages", MESSAGES, 1)
    print(f"{VALUES} values each way, {MESSAGES} messages there and back, python3-msgpack {msgpack.version}")


main()
