"""Verify a checkpoint without flexrun: verify_checkpoint.py FILE [RUN]; see docs/proof.md."""

import gzip
import json
import sys
from hashlib import sha256, sha512

P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def point(raw):
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    return x if x & 1 == raw[31] >> 7 else P - x, y


def plus(a, b):
    k = D * a[0] * b[0] * a[1] * b[1] % P
    x, y = a[0] * b[1] + b[0] * a[1], a[1] * b[1] + a[0] * b[0]
    return x * pow(1 + k, -1, P) % P, y * pow(1 - k, -1, P) % P


def times(n, a):
    total = (0, 1)
    while n:
        total, a, n = plus(total, a) if n & 1 else total, plus(a, a), n >> 1
    return total


def is_signed(key, text, signature):  # Ed25519, RFC 8032
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    h = int.from_bytes(sha512(r + key + text).digest(), "little") % Q
    base = point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    return s < Q and times(s, base) == plus(point(r), times(h, point(key)))


tree, runs, root, seal = (
    [],
    0,
    sha256(b"").digest(),
    {},
)  # the tree of RFC 9162: its whole parts, the largest first
for line in gzip.open(sys.argv[1]):  # noqa: SIM115 - a script that ends at once
    seal = json.loads(line)
    if "runId" in seal:
        runs, node = runs + 1, sha256(b"\0" + line.rstrip(b"\n")).digest()
        if seal["runId"] in sys.argv[2:]:
            print(f"run {seal['runId']}: event {seal['seq']}, hash {seal['headHash']}")
        for _ in range((runs & -runs).bit_length() - 1):
            node = sha256(b"\1" + tree.pop() + node).digest()
        tree.append(node)
for node in reversed(tree):
    root = node if node is tree[-1] else sha256(b"\1" + node + root).digest()
key, signature = (bytes.fromhex(seal.pop(name)) for name in ("publicKey", "signature"))
text = json.dumps(seal, sort_keys=True, separators=(",", ":")).encode()
if (seal["root"], seal["runs"]) != (root.hex(), runs) or not is_signed(key, text, signature):
    sys.exit("the checkpoint is not as it was signed")
print(f"checkpoint of {seal['at']}: {runs} runs, root {root.hex()}, signed by {key.hex()}")
