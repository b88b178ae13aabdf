#!/usr/bin/env python3
"""Verifies a Chartseal export, with nothing but Python 3.8 and this file.

    python3 verify_export.py FILE --trust POLICY [--state FILE] [--max-age SECONDS] [--json]

It is a second implementation, written from formats.md and audit.md: it says what `chartseal audit verify`
says, rule for rule, and shares no code with it. It proves; it does not look for anomalies in what it proved, but
keeps what a verifier that does will ask for.

Exit status: 0 proved, 1 refuted, 2 can't tell, 3 misuse or unreadable. With --state, what has to be
remembered is read from that file if it exists, and written to it after a proof. FILE.lock beside it makes
verifiers wait for each other, this one and `chartseal audit` alike.

Its Ed25519 is for public data alone: it takes no care to hide anything by its timing.
"""

import argparse
import base64
import contextlib
import functools
import hashlib
import json
import os
import sys
import time

try:
    import fcntl
except ImportError:  # No state is kept there.
    fcntl = None

MAX_U64 = 2**64 - 1
MAX_FILE, MAX_NOTE, MAX_POLICY, MAX_STATE = 256 << 20, 64 << 10, 64 << 10, 1 << 20
MAX_SIGNATURES, MAX_NAMES, MAX_PROOF, MAX_HISTORIES = 64, 64, 65, 64
MAX_ENTRIES, MAX_LIST, MAX_KEPT_SIZE = 1 << 24, 1 << 16, 1 << 48
MAX_KEPT_STATEMENT, MAX_MEMORY = 256 << 10, 4096
MAX_MEMBERS, MAX_HANDOVERS, MAX_CERTIFICATE = 64, 256, 30 + 32 + 8 + 8 + 1 + 64 * 64
ZERO = bytes(32)
PROOF = "c2sp.org/tlog-proof@v1\n"


class Refuted(Exception):
    """The file breaks a rule of audit.md."""

    def __init__(self, rule, found):
        super().__init__(found)
        self.rule = f"CS-AUD-{rule:02}"


class CannotTell(Exception):
    """What the file must be checked against is not here."""

    def __init__(self, doubt, why):
        super().__init__(why)
        self.doubt = doubt


class Misuse(Exception):
    """The policy, the state or the command is not as it should be."""


# --- Ed25519 (RFC 8032), points as (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z ---

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def point_add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0])
    b = (p[1] + p[0]) * (q[1] + q[0])
    c = 2 * p[3] * q[3] % P * D
    d = 2 * p[2] * q[2]
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_negate(p):
    return (P - p[0], p[1], p[2], P - p[3])


def point_decode(data):
    """A point, or None. y is taken modulo P, and the sign of x = 0 says nothing."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number % 2**255 % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * ROOT_OF_MINUS_1 % P
    if v * x * x % P != u:
        return None
    if x % 2 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


def point_encode(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x % 2) << 255).to_bytes(32, "little")


def has_small_order(p):
    for _ in range(3):
        p = point_add(p, p)
    return p[0] == 0 and p[1] == p[2]


BASE = point_decode(bytes([0x58]) + bytes([0x66]) * 31)


@functools.lru_cache(maxsize=4096)
def ed25519_verify(key, message, signature, cofactored=False):
    """The rule for what we sign ourselves; or, for engines' certificates, ZIP-215."""
    s = int.from_bytes(signature[32:], "little")
    a, r = point_decode(key), point_decode(signature[:32])
    if s >= ORDER or a is None or r is None:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ORDER
    minus_a = point_negate(a)
    steps = (None, BASE, minus_a, point_add(BASE, minus_a))
    found = IDENTITY  # [s]B - [k]A
    for bit in range(252, -1, -1):
        found = point_add(found, found)
        step = steps[(s >> bit & 1) | (k >> bit & 1) << 1]
        if step is not None:
            found = point_add(found, step)
    if cofactored:
        return has_small_order(point_add(found, point_negate(r)))
    return not has_small_order(a) and not has_small_order(r) and point_encode(found) == signature[:32]


# --- Hashes, logs, the state map ---


def sha256(data):
    return hashlib.sha256(data).digest()


def tagged(domain, data):
    return domain.encode() + b"\0" + data


def leaf_hash(data):
    return sha256(b"\0" + data)


def node_hash(left, right):
    return sha256(b"\1" + left + right)


def inclusion_root(leaf, index, size, proof):
    """The root to which an inclusion proof leads; None if it isn't one for this index and size."""
    if index >= size:
        return None
    node, last, root = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node % 2 or node == last:
            root = node_hash(sibling, root)
            while node and not node % 2:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def is_consistent(old_size, old_root, new_size, new_root, proof):
    """Whether the new log begins with the old one (RFC 9162, section 2.1.4.2)."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    if old_size & (old_size - 1) == 0:
        proof = [old_root] + proof
    if not proof:
        return False
    node, last = old_size - 1, new_size - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    old = new = proof[0]
    for sibling in proof[1:]:
        if last == 0:
            return False
        if node % 2 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while node and not node % 2:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def append(frontier, leaf):
    """A frontier is (size, peaks)."""
    size, peaks = frontier
    peaks = list(peaks)
    while size % 2:
        leaf = node_hash(peaks.pop(), leaf)
        size >>= 1
    return (frontier[0] + 1, peaks + [leaf])


def bit_of(key, depth):
    return key[depth // 8] >> (7 - depth % 8) & 1


def map_has(root, key, value, proof):
    """Whether the map has exactly this value (None: no value) at the key."""
    siblings, leaf = proof
    if len(siblings) > 256:
        return False
    node = ZERO if leaf is None else sha256(b"\2" + leaf[0] + leaf[1])
    for depth in range(len(siblings) - 1, -1, -1):
        pair = (siblings[depth], node) if bit_of(key, depth) else (node, siblings[depth])
        node = sha256(b"\3" + pair[0] + pair[1])
    if node != root:
        return False
    if value is not None:
        return leaf is not None and leaf[0] == key and leaf[1] == sha256(value)
    if leaf is None:
        return True
    same = all(bit_of(key, depth) == bit_of(leaf[0], depth) for depth in range(len(siblings)))
    return leaf[0] != key and same


# --- Canonical CBOR ---


def cbor(value):
    """Integers, bytes, text, None, and lists of them."""
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return cbor_head(0, value)
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    return cbor_head(4, len(value)) + b"".join(map(cbor, value))


def cbor_head(major, number):
    if number < 24:
        return bytes([major << 5 | number])
    width = next(width for width in (1, 2, 4, 8) if number < 256**width)
    return bytes([major << 5 | (23 + width.bit_length())]) + number.to_bytes(width, "big")


class Reader:
    """Reads items of a shape that is known before; anything else is a ValueError."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def head(self, major):
        if self.at >= len(self.data):
            raise ValueError("the input ends inside an item")
        info = self.data[self.at] & 31
        if self.data[self.at] >> 5 != major or info > 27:
            raise ValueError(f"another kind of item at byte {self.at}")
        self.at += 1
        if info < 24:
            return info
        width = 1 << (info - 24)
        argument = self.data[self.at : self.at + width]
        number = int.from_bytes(argument, "big")
        if len(argument) < width or cbor_head(0, number)[0] != info:
            raise ValueError(f"an integer that is cut off or too long at byte {self.at}")
        self.at += width
        return number

    def uint(self):
        return self.head(0)

    def string(self, major, most=MAX_FILE):
        length = self.head(major)
        end = self.at + length
        if length > most or end > len(self.data):
            raise ValueError(f"a string of {length} bytes at byte {self.at}")
        found, self.at = self.data[self.at : end], end
        return bytes(found)

    def bytes(self, length=None, most=MAX_FILE):
        found = self.string(2, most)
        if length is not None and len(found) != length:
            raise ValueError(f"{len(found)} bytes where {length} belong")
        return found

    def text(self, most):
        return self.string(3, most).decode()

    def token(self):
        found = self.text(96)
        if not found or not all("!" <= letter <= "~" for letter in found):
            raise ValueError("no token")
        return found

    def bool(self):
        return self.simple((0xF4, 0xF5)) == 0xF5

    def simple(self, allowed):
        if self.at >= len(self.data) or self.data[self.at] not in allowed:
            raise ValueError(f"another kind of item at byte {self.at}")
        self.at += 1
        return self.data[self.at - 1]

    def array(self, count):
        if self.head(4) != count:
            raise ValueError(f"an array of another length than {count}")

    def list(self, read, most=MAX_LIST):
        count = self.head(4)
        if count > most or count > len(self.data) - self.at:
            raise ValueError(f"a list of {count}")
        return [read(self) for _ in range(count)]

    def optional(self, read):
        if self.data[self.at : self.at + 1] == b"\xf6":
            self.at += 1
            return None
        return read(self)


def decode(data, read):
    reader = Reader(data)
    value = read(reader)
    if reader.at != len(data):
        raise ValueError("bytes are left behind the item")
    return value


# --- Headers, entries, exports (cddl/wire.cddl) ---


def id16(reader):
    return reader.bytes(16)


def digest(reader):
    return reader.bytes(32)


def optional(read):
    return lambda reader: reader.optional(read)


def many(read, most=MAX_LIST):
    return lambda reader: reader.list(read, most)


def struct(*fields):
    def read(reader):
        reader.array(len(fields))
        return [field(reader) for field in fields]

    return read


UINT, BOOL, TOKEN = Reader.uint, Reader.bool, Reader.token
HEADER = struct(UINT, digest, UINT, UINT, digest, UINT, digest, digest, digest, UINT, digest)
OUTCOME = struct(id16, optional(digest), BOOL, TOKEN, many(TOKEN), many(TOKEN))
OWN_OUTCOME = struct(id16, BOOL, digest)
EVENTS = {
    1: struct(id16, BOOL),
    2: struct(id16, UINT, digest, optional(digest)),
    3: struct(TOKEN, optional(digest), optional(UINT), optional(UINT)),
    4: struct(TOKEN, digest, UINT),
    5: struct(TOKEN, TOKEN, TOKEN, digest, BOOL, many(OUTCOME), optional(UINT)),
    6: struct(TOKEN, TOKEN, TOKEN, id16, many(OWN_OUTCOME)),
    7: struct(digest, UINT, many(id16)),
    8: struct(digest, BOOL),
    9: struct(id16),
    10: struct(id16, UINT),
    11: struct(id16, digest, optional(digest)),
    12: struct(many(id16)),
    13: struct(id16, digest, digest, optional(digest)),
    14: struct(id16, digest),
    15: struct(id16, digest, UINT, optional(digest)),
    16: struct(id16, TOKEN, optional(UINT), optional(UINT)),
    17: struct(id16),
    18: struct(UINT, many(id16)),
    19: struct(TOKEN, optional(UINT)),
    20: struct(optional(digest), many(id16), UINT, UINT),
    21: struct(digest, many(id16), UINT),
    22: struct(digest),
    23: struct(digest, digest),
    24: struct(id16, id16),
    25: struct(id16, id16),
    26: struct(id16, BOOL, UINT, UINT, UINT, digest),
    27: struct(id16, UINT, digest),
    28: struct(id16, digest, optional(UINT), digest),
    29: struct(id16, TOKEN),
    30: struct(id16, digest),
    31: struct(UINT, UINT, many(id16)),
    32: struct(many(digest), BOOL),
}
# Where the events that commit to a sealed text say so: emergency, access, disputed, dispute-answered.
REASONS = {4: 1, 5: 3, 27: 2, 28: 3}


def event(reader):
    reader.array(2)
    tag = reader.uint()
    if tag not in EVENTS:
        raise ValueError(f"no event has the tag {tag}")
    return (tag, EVENTS[tag](reader))


ENTRY = struct(UINT, UINT, digest, id16, id16, event)


def subject(reader):
    reader.array(2)
    tag = reader.uint()
    if tag not in (1, 2):
        raise ValueError(f"no subject has the tag {tag}")
    return (tag, id16(reader))


def subject_name(who):
    return ("patient " if who[0] == 1 else "actor ") + who[1].hex()


def frontier(reader):
    size, peaks = struct(UINT, many(digest, 64))(reader)
    if len(peaks) != bin(size).count("1"):
        raise ValueError("the number of peaks does not fit the size")
    return (size, peaks)


def increasing(items):
    if not all(a < b for a, b in zip(items, items[1:])):
        raise ValueError("a list that is not in its order, or has something twice")


def header_bytes(reader):
    raw = reader.bytes(most=1024)
    header = decode(raw, HEADER)
    if header[0] != 1:
        raise ValueError("the version of a block header is 1")
    return raw, header


def committee(reader):
    """Its hash, its epoch, and its validators' keys in the order of their bytes."""
    start = reader.at
    epoch, members = struct(UINT, many(struct(id16, digest), MAX_MEMBERS))(reader)
    orgs, keys = {org for org, _ in members}, {key for _, key in members}
    if len(members) % 3 != 1 or not len(orgs) == len(keys) == len(members):
        raise ValueError("members are 3f + 1, none twice")
    return (sha256(tagged("chartseal/committee/1", bytes(reader.data[start : reader.at]))), epoch, sorted(keys))


def leb128(number):
    low = number & 127
    return bytes([low]) if number < 128 else bytes([low | 128]) + leb128(number >> 7)


def certificate(reader):
    """(epoch, proposal, block, members, [(validator, signature)]) of an engine's certificate."""
    data, at = reader.bytes(most=MAX_CERTIFICATE), 0

    def number():
        nonlocal at
        end = at
        while end < min(len(data), at + 9) and data[end] & 128:
            end += 1
        part, at = data[at : end + 1], end + 1
        found = sum((byte & 127) << 7 * place for place, byte in enumerate(part))
        if found > MAX_U64 or leb128(found) != part:
            raise ValueError("no number in LEB128")
        return found

    def take(length):
        nonlocal at
        found, at = data[at : at + length], at + length
        if len(found) != length:
            raise ValueError("a certificate that is cut off")
        return found

    epoch, _, _ = number(), number(), number()
    block, proposal = take(32), data[:at]
    members = int.from_bytes(take(8), "big")
    if not 1 <= members <= MAX_MEMBERS:
        raise ValueError("a number of members from 1 to 64")
    bits = int.from_bytes(take((members + 7) // 8), "little")
    signers = [place for place in range(members) if bits >> place & 1]
    if bits >> members or not signers or number() != len(signers):
        raise ValueError("a bit for each member, and as many signatures as signers")
    signed = [(place, take(64)) for place in signers]
    if at != len(data):
        raise ValueError("something behind a certificate")
    return (epoch, proposal, block, members, signed)


HANDOVER = struct(header_bytes, many(digest, MAX_PROOF), certificate, committee)
FINALITY = struct(committee, many(HANDOVER, MAX_HANDOVERS), certificate)


def export(reader):
    fields, version = reader.head(4), reader.uint()
    if (fields, version) not in ((5, 1), (6, 2)):
        raise ValueError("an export is version 1 of five fields, or version 2 of six")
    raw_header, header = header_bytes(reader)
    map_proof = struct(many(digest), optional(struct(digest, digest)))
    history = struct(subject, UINT, frontier, many(Reader.bytes, MAX_ENTRIES), map_proof)
    histories = reader.list(history, MAX_HISTORIES)
    increasing([history[0] for history in histories])
    growth = reader.optional(struct(UINT, many(digest, MAX_PROOF)))
    texts = reader.list(struct(digest, Reader.bytes), MAX_ENTRIES)
    increasing(texts)
    start = reader.at
    finality = FINALITY(reader) if version == 2 else None
    return (raw_header, header, histories, growth, texts, finality, reader.data[start : reader.at])


# --- Texts: notes, checkpoints, policies, proof files ---

SPACES = set("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}


def unbase64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 that is not canonical")
    return data


def decimal(text):
    if not (text.isascii() and text.isdigit()) or (text[0] == "0" and text != "0") or len(text) > 20:
        raise ValueError("no decimal in its one form")
    number = int(text)
    if number > MAX_U64:
        raise ValueError("a number beyond 64 bits")
    return number


def base64_hash(text):
    data = unbase64(text)
    if len(data) != 32:
        raise ValueError("no hash")
    return data


def check_name(name):
    bad = any(c in SPACES or c == "+" or ord(c) < 0x20 or 0x7F <= ord(c) < 0xA0 for c in name)
    if bad or not 1 <= len(name.encode()) <= 255:
        raise ValueError("no key's name")


def parse_note(note):
    """The signed text, and (name, key id, signature) of each line."""
    if len(note.encode()) > MAX_NOTE or any(c < " " and c != "\n" for c in note):
        raise ValueError("a note that is too long, or has control characters")
    text, empty_line, lines = note.rpartition("\n\n")
    if not empty_line or not lines.endswith("\n"):
        raise ValueError("no signed note")
    signatures = []
    for line in lines[:-1].split("\n"):
        if not line.startswith("\u2014 ") or line.count(" ") < 2:
            raise ValueError("no signature line")
        name, data = line[2:].split(" ", 1)
        data = unbase64(data)
        check_name(name)
        if len(data) < 4 or len(signatures) == MAX_SIGNATURES:
            raise ValueError("a signature line without a key id, or one too many")
        signatures.append((name, data[:4], data[4:]))
    return (text + "\n", signatures)


def parse_checkpoint(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not 1 <= len(lines[0].encode()) <= 255:
        raise ValueError("a checkpoint is three lines")
    return (lines[0], decimal(lines[1]), base64_hash(lines[2]))


def parse_file(file):
    if len(file) > MAX_FILE:
        raise ValueError("longer than 256 MiB")
    head, empty_line, note = file.decode().partition("\n\n")
    lines = head.split("\n")
    if not empty_line or lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise ValueError("no tlog-proof")
    extra = b""
    if lines and lines[0].startswith("extra "):
        extra = unbase64(lines.pop(0)[len("extra ") :])
        if not extra:
            raise ValueError("an empty extra line")
    if not lines or not lines[0].startswith("index "):
        raise ValueError("no index line")
    index = decimal(lines.pop(0)[len("index ") :])
    if len(lines) > MAX_PROOF:
        raise ValueError("more hashes than any proof has")
    return (extra, index, [base64_hash(line) for line in lines], note, parse_note(note))


def parse_key(text, kind):
    """A verifier key as (name, id, public key)."""
    name, given, data = text.split("+", 2)
    check_name(name)
    material = unbase64(data)
    if len(material) != 33 or material[0] != kind:
        raise ValueError(f"no key of type {kind}")
    found = sha256(name.encode() + b"\n" + material)[:4]
    if given != found.hex():
        raise ValueError("a key id that is not the key's")
    return (name, found, material[1:])


class Policy:
    """Logs; witnesses and groups, members before their groups; the quorum's place, or None."""

    def __init__(self, data):
        self.logs, self.nodes, self.witnesses, self.committee = [], [], [], None
        groups = 0
        places, taken, quorum = {}, set(), []
        if len(data) > MAX_POLICY:
            raise ValueError("longer than 64 KiB")
        for line in data.decode().split("\n"):
            if any((c < " " and c != "\t") or c == "\x7f" for c in line):
                raise ValueError("a control character")
            words = line.replace("\t", " ").split(" ")
            words = [word for word in words if word]
            if not words or words[0].startswith("#"):
                continue
            keyword, words = words[0], words[1:]
            if keyword == "log" and len(words) in (1, 2):
                self.add_once(self.logs, parse_key(words[0], 1))
            elif keyword == "witness" and len(words) in (2, 3):
                self.add_once(self.witnesses, parse_key(words[1], 4))
                self.define(places, words[0], 1, None)
            elif keyword == "committee" and len(words) == 2 and self.committee is None:
                if len(words[1]) != 64 or any(c not in "0123456789abcdef" for c in words[1]):
                    raise ValueError("a committee's hash is 64 lower-case hex digits")
                self.committee = bytes.fromhex(words[1])
                self.define(places, words[0], 1, "committee")
            elif keyword == "group" and len(words) >= 2:
                members = words[2:]
                needed = {"all": len(members), "any": 1}.get(words[1])
                needed = decimal(words[1]) if needed is None else needed
                groups += 1
                if not 1 <= needed <= len(members) or groups > MAX_NAMES:
                    raise ValueError("a threshold that its group can't have, or a group too many")
                for member in members:
                    if member not in places or member in taken:
                        raise ValueError("a member that is unknown, or of two groups")
                    taken.add(member)
                self.define(places, words[0], needed, [places[member] for member in members])
            elif keyword == "quorum" and len(words) == 1 and not quorum:
                if words[0] != "none" and words[0] not in places:
                    raise ValueError("a quorum that no line before defines")
                quorum.append(places.get(words[0]))
            else:
                raise ValueError(f"no line of a policy: {keyword}")
        if not quorum:
            raise ValueError("no quorum line")
        self.quorum = quorum[0]

    @staticmethod
    def add_once(keys, key):
        if any(other[2] == key[2] for other in keys) or len(keys) == MAX_NAMES:
            raise ValueError("a key that stands there twice, or one too many")
        keys.append(key)

    def define(self, places, name, needed, members):
        if name == "none" or name in places:
            raise ValueError("a name that is taken")
        places[name] = len(self.nodes)
        self.nodes.append((name, needed, members))

    def count(self, times, certified):
        """How the quorum is met by witnesses' times (None: did not sign) and the committee's."""
        if self.quorum is None:
            return {"name": "none", "signed": 0, "needed": 0, "of": 0, "time": None}
        times, met = iter(times), []
        for name, needed, members in self.nodes:
            if members is None:
                stamps = [next(times)]
            elif members == "committee":
                stamps = [certified]
            else:
                stamps = [met[at]["time"] for at in members]
            of, stamps = len(stamps), sorted((s for s in stamps if s is not None), reverse=True)
            reached = stamps[needed - 1] if len(stamps) >= needed else None
            met.append({"name": name, "signed": len(stamps), "needed": needed, "of": of, "time": reached})
        return met[self.quorum]


# --- The checks, in the order of audit.md ---


def check_signatures(text, lines, origin, policy):
    """Who signed: for each witness when it did, or None; and the names of those that did."""
    logs = [key for key in policy.logs if key[0] == origin]
    if not logs:
        raise CannotTell("unknown_log", f"the policy lists no key of the log {origin}")
    log = next((key for key in logs if key[:2] == lines[0][:2]), None)
    signature = lines[0][2]
    if log is None or len(signature) != 64 or not ed25519_verify(log[2], text.encode(), signature):
        raise Refuted(5, "no valid signature of the log comes first")
    names = [name for name, _, members in policy.nodes if members is None]
    times, after = [None] * len(names), 0
    for name, key_id, data in lines[1:]:
        place = next((at for at, key in enumerate(policy.witnesses) if key[:2] == (name, key_id)), None)
        if place is None:
            raise Refuted(6, f"{name} is nobody whom the policy lists")
        if place < after:
            raise Refuted(7, f"the signature of {names[place]} comes too late, or twice")
        after = place + 1
        seconds = int.from_bytes(data[:8], "big")
        message = f"cosignature/v1\ntime {seconds}\n{text}".encode()
        key = policy.witnesses[place][2]
        if len(data) != 72 or seconds >= 2**63 or not ed25519_verify(key, message, data[8:]):
            raise Refuted(8, f"the signature of {names[place]} is invalid")
        times[place] = seconds
    return times, [(name, seconds) for name, seconds in zip(names, times) if seconds is not None]


def check_certificate(found, raw_header, header, who):
    """Whether a quorum of the committee certified the header, under ZIP-215."""
    epoch, proposal, block, members, signed = found
    _, committee_epoch, keys = who
    if block != leaf_hash(tagged("chartseal/block-leaf/1", raw_header)):
        raise Refuted(23, "the certificate of another block")
    if not header[2] == epoch == committee_epoch:
        raise Refuted(23, "a certificate of another epoch")
    if members != len(keys) or len(signed) < len(keys) - (len(keys) - 1) // 3:
        raise Refuted(24, "fewer than a quorum signed")
    namespace = tagged("chartseal/consensus/1", header[1]) + b"_FINALIZE"
    message = leb128(len(namespace)) + namespace + proposal
    for place, signature in signed:
        if not ed25519_verify(keys[place], message, signature, cofactored=True):
            raise Refuted(25, "an invalid signature in a certificate")


def check_finality(finality, raw_header, header, size, root, proof):
    """Every certificate and handover, and that the log is the certified header's."""
    who, handovers, found = finality
    least = 0
    for (raw_last, last), path, certified, after in handovers:
        _, chain, _, height, _, _, _, _, _, log_size, named = last
        if chain != header[1] or not least <= height < header[3] or log_size != height:
            raise Refuted(22, f"a handover at height {height}")
        least = height + 1
        if after[1] != who[1] + 1 or after[0] != named:
            raise Refuted(22, "a handover that is not to the committee that it names")
        check_certificate(certified, raw_last, last, who)
        if inclusion_root(leaf_hash(tagged("chartseal/block-leaf/1", raw_last)), height, size, path) != root:
            raise Refuted(26, "a handover that is not in the log")
        who = after
    check_certificate(found, raw_header, header, who)
    before = functools.reduce(lambda right, left: node_hash(left, right), proof) if proof else sha256(b"")
    if size != header[3] + 1 or before != header[8]:
        raise Refuted(27, "a checkpoint of another log than the certified header's")


def judge_finality(finality, policy, kept, is_witnessed):
    """Nothing if the policy's committee certified the header, or who came after it; or a CannotTell."""
    committees = [finality[0]] + [after for _, _, _, after in finality[1]]
    hashes = [who[0] for who in committees]

    def places(hash_):
        return [at for at, one in enumerate(hashes) if one == hash_][-1:]

    over = kept and kept["committee"]
    pinned = places(policy.committee)
    if over:
        later = [at for at in pinned if committees[at][1] > min(over[0] + 1, MAX_U64)]
        pinned = later + places(over[1])
    if not pinned:
        return CannotTell("unknown_committee", f"committees from epoch {committees[0][1]} on, none the policy's")
    trusted = max(pinned)
    if trusted < len(committees) - 1 and not is_witnessed:
        return CannotTell("retired_committee", f"epoch {committees[trusted][1]} is over, and no witness vouches")
    return None


def check_quorum(policy, times, doubt, certified):
    """How the quorum is met; `certified` is the time of what the committee certified, or None."""
    quorum = policy.count(times, None if doubt else certified)
    if quorum["signed"] >= quorum["needed"]:
        return quorum
    counted = policy.count(times, certified)
    if doubt and counted["signed"] >= counted["needed"]:
        raise doubt
    raise Refuted(9, f"{quorum['signed']} of {quorum['of']} signed, {quorum['needed']} are needed")


def check_needed(policy, times, certified, has_handovers):
    """No witness's signature can be left out; behind handovers one witness may vouch for them."""
    signed = [at for at, time in enumerate(times) if time is not None]
    if has_handovers and len(signed) == 1:
        return

    def is_met(times, certified):
        counted = policy.count(times, certified)
        return counted["signed"] >= counted["needed"]

    for at in signed:
        others = times[:at] + [None] + times[at + 1 :]
        if not any(is_met(times, how) and not is_met(others, how) for how in (None, certified)):
            raise Refuted(28, "the policy doesn't need every signature")


def check_history(history, state_root, height, kept):
    """(log, entries, whether it continues what was kept); or a CannotTell, given back."""
    who, first, log, entries, proof = history
    name = subject_name(who)
    slot = tagged("chartseal/state-key/1", cbor(["history", cbor([who[0], who[1]])]))
    value = cbor([log[0], log[1]]) if log[0] else None
    if not map_has(state_root, sha256(slot), value, proof):
        raise Refuted(12, f"{name}: the map proof shows something else")

    known, _ = kept["histories"].get(who, (None, None)) if kept else (None, None)
    known_size = known[0] if known else 0
    if known and first == known_size:
        found = known
    elif first == 0:
        found = (0, [])
    else:
        return CannotTell("earlier_part_missing", f"{name}: starts at {first}, {known_size} were verified")
    if first + len(entries) != log[0]:
        raise Refuted(13, f"{name}: {len(entries)} entries from {first} on, of {log[0]}")
    continues = found[0] == known_size
    for entry in entries:
        found = append(found, leaf_hash(tagged("chartseal/entry-leaf/1", entry)))
        continues = continues or found == known
    if found != log:
        raise Refuted(14, f"{name}: entries that are not those of the slot")

    judged, least = [], 0
    for at, data in enumerate(entries, first):
        try:
            entry = decode(data, ENTRY)
        except ValueError as why:
            raise Refuted(15, f"{name}: entry {at}: {why}") from None
        if not least <= entry[0] <= height:
            raise Refuted(16, f"{name}: entry {at} is of block {entry[0]}, not {least} to {height}")
        least = entry[0]
        if known and at >= known_size and entry[0] <= kept["height"]:
            continues = False
        judged.append(entry)
    return (log, judged, continues)


def remember(who, first, entries, until, before):
    """What later entries of a patient's history refer back to; None if it isn't known."""
    if first and before is None:
        return None
    unreviewed, declared, holds, erased = before if first else ([], [], [], [])
    accesses, reviewed = list(unreviewed), set()
    newest = {access[0]: at for at, access in enumerate(accesses)}
    declared, holds, erased = dict(declared), dict(holds), set(erased)
    for at, (_, now, tx, actor, _, (tag, fields)) in enumerate(entries, first):
        if who[0] != 1:
            break
        if tag == 4:
            declared[actor] = max(fields[2], declared.get(actor, 0))
        elif tag == 5 and any(permitted and code == "emergency" for _, _, permitted, code, _, _ in fields[5]):
            end = declared.get(actor, 0)
            newest[tx] = len(accesses)
            accesses.append([tx, actor, at, end if now < end else now])
        elif tag == 8 and fields[0] in newest:
            reviewed.add(newest[fields[0]])
        elif tag == 9:
            erased.add(fields[0])
        elif tag == 29:
            holds[tx] = fields[0]
        elif tag == 30:
            holds.pop(fields[1], None)
    unreviewed = [access for at, access in enumerate(accesses) if at not in reviewed]
    declared = [[actor, end] for actor, end in sorted(declared.items()) if end > until]
    return [unreviewed, declared, [[tx, record] for tx, record in sorted(holds.items())], sorted(erased)]


def to_keep(statement, height, block_time, histories, over):
    """The state in the oldest version that can hold it."""
    room = MAX_MEMORY
    for history in histories:
        size = sum(map(len, history[2] or []))
        if size > room:
            history[2] = None
        else:
            room -= size
    head = [statement, height, block_time]
    if statement.startswith(PROOF) or any(history[2] is not None for history in histories):
        return [3] + head + [histories, over]
    logs = [history[:2] for history in histories]
    return [2] + head + [logs, over] if over else [1] + head + [logs]


def check_growth(size, root, height, growth, kept):
    if kept is None:
        return growth and CannotTell("growth_from_elsewhere", "no state was kept from which it grew")
    if size < kept["size"] or height < kept["height"]:
        raise Refuted(18, f"block {height} of {size}, after block {kept['height']} of {kept['size']}")
    if size == kept["size"] and root != kept["root"]:
        raise Refuted(19, f"another root of the log of {size}")
    if growth is None and size == kept["size"]:
        return None
    if growth is None or growth[0] != kept["size"]:
        return CannotTell("growth_from_elsewhere", f"the kept state is of a log of {kept['size']}")
    if not is_consistent(kept["size"], kept["root"], size, root, growth[1]):
        raise Refuted(20, "no proof that the log begins with the one that was kept")
    return None


def verify(file, policy, kept=None, now=None, max_age=None):
    """What a file proves, as a dictionary; or Refuted, or CannotTell. Times are in ms."""
    try:
        extra, index, proof, note, (text, lines) = parse_file(file)
    except ValueError as why:
        raise Refuted(1, why) from None
    try:
        raw_header, header, histories, growth, texts, finality, raw_finality = decode(extra, export)
    except ValueError as why:
        raise Refuted(2, why) from None
    try:
        origin, size, root = parse_checkpoint(text)
    except ValueError as why:
        raise Refuted(3, why) from None
    _, chain, _, height, _, block_time, _, state_root, _, log_size, _ = header
    if origin != f"chartseal/chain/{chain.hex()}":
        raise Refuted(4, "another log than the header's")

    # A rule that is broken counts for more than something that is missing, so doubts wait.
    doubts, quorum, times, signers = [], None, None, None
    try:
        times, signers = check_signatures(text, lines, origin, policy)
    except CannotTell as doubt:
        doubts = [doubt]
    doubt = certified = None
    if finality:
        check_finality(finality, raw_header, header, size, root, proof)
        if policy.committee and times is not None:
            same_chain = kept if kept and kept["origin"] == origin else None
            doubt = judge_finality(finality, policy, same_chain, bool(signers))
            certified = block_time // 1000
    try:
        if not doubts:
            quorum = check_quorum(policy, times, doubt, certified)
            check_needed(policy, times, certified, policy.committee and finality and finality[1])
    except CannotTell as found:
        doubts = [found]
    if doubts:
        kept = None
    if not height == log_size == index:
        raise Refuted(10, f"height {height} and log size {log_size} at index {index}")
    leaf = leaf_hash(tagged("chartseal/block-leaf/1", raw_header))
    if inclusion_root(leaf, index, size, proof) != root:
        raise Refuted(11, "the inclusion proof leads elsewhere")
    if kept and kept["origin"] != origin:
        doubts.append(CannotTell("other_chain", f"the kept state is of {kept['origin']}"))
        kept = None

    judged, rewritten, incomplete = {}, None, []
    if not histories:
        incomplete.append(CannotTell("no_history", "the export holds no history"))
    for who in kept["histories"] if kept else ():
        if all(history[0] != who for history in histories):
            incomplete.append(CannotTell("history_missing", f"{subject_name(who)} was verified before"))
    for history in histories:
        found = check_history(history, state_root, height, kept)
        if isinstance(found, CannotTell):
            incomplete.append(found)
            continue
        judged[history[0]] = found
        if not found[2]:
            rewritten = rewritten or history[0]
    if not incomplete:
        events = [entry[5] for _, entries, _ in judged.values() for entry in entries]
        reasons = {fields[REASONS[tag]] for tag, fields in events if tag in REASONS}
        for at, (salt, sealed) in enumerate(texts):
            if sha256(tagged("chartseal/sealed-text/1", cbor([salt, sealed]))) not in reasons:
                raise Refuted(17, f"text {at} belongs to no entry")
    doubts += incomplete
    doubt = check_growth(size, root, height, growth, kept)
    if rewritten:
        raise Refuted(21, f"{subject_name(rewritten)}: others than were verified before")
    if doubt:
        doubts.append(doubt)
    if doubts:
        raise doubts[0]

    fresh_as_of = block_time
    if quorum["time"] is not None:
        signed_at = min(quorum["time"] * 1000, MAX_U64)
        fresh_as_of = signed_at if height == size - 1 else min(signed_at, block_time)
    if max_age is not None and abs(fresh_as_of - now) > max_age:
        raise CannotTell("stale", f"complete up to {date(fresh_as_of)}, and it is {date(now)}")
    before = kept["histories"] if kept else {}
    memories = {
        h[0]: remember(h[0], h[1], judged[h[0]][1], block_time, before.get(h[0], (None, None))[1]) for h in histories
    }
    logs = [[list(who), [log[0], log[1]], memories[who]] for who, (log, _, _) in judged.items()]
    # With a certificate that counts, what was signed is kept whole. An older committee replaces no later one.
    statement, over = note, kept and kept["committee"]
    if policy.committee and finality:
        bare = cbor_head(4, 6) + b"".join(map(cbor, [2, raw_header, [], None, []])) + raw_finality
        whole = PROOF + "extra " + base64.b64encode(bare).decode() + f"\nindex {index}\n"
        whole += "".join(base64.b64encode(one).decode() + "\n" for one in proof) + "\n" + note
        statement = whole if len(whole.encode()) <= MAX_KEPT_STATEMENT else note
    if policy.committee and (not over or over[0] <= header[2]):
        over = [header[2], header[10]]
    state = to_keep(statement, height, block_time, logs, over)
    return {
        "origin": origin,
        "height": height,
        "time": date(block_time),
        "fresh_as_of": date(fresh_as_of),
        "quorum": {key: quorum[key] for key in ("name", "signed", "needed", "of")},
        "witnesses": [{"name": name, "time": date(seconds * 1000)} for name, seconds in signers],
        "log": {"size": size, "root": root.hex()},
        "histories": [
            {"subject": subject_name(h[0]), "first": h[1], "entries": len(h[3]), "total": h[2][0]}
            for h in histories
        ],
        "fresh_as_of_ms": fresh_as_of,
        "kept": cbor(state).hex(),
    }


def parse_kept(data):
    """What a proof left to remember."""
    reader = Reader(data)
    fields, version = reader.head(4), reader.uint()
    if len(data) > MAX_STATE or (fields, version) not in ((5, 1), (6, 2), (6, 3)):
        raise ValueError("a kept state is version 1 of five fields, or version 2 or 3 of six")
    statement = reader.text(MAX_KEPT_STATEMENT)
    origin, size, root = parse_checkpoint(parse_statement(statement)[0])
    height, block_time = reader.uint(), reader.uint()
    memory = struct(
        many(struct(digest, id16, UINT, UINT)), many(struct(id16, UINT)), many(struct(digest, id16)), many(id16)
    )
    if version == 3:
        histories = reader.list(struct(subject, frontier, optional(memory)), MAX_HISTORIES)
        over = reader.optional(struct(UINT, digest))
    else:
        histories = [[*one, None] for one in reader.list(struct(subject, frontier), MAX_HISTORIES)]
        over = struct(UINT, digest)(reader) if version == 2 else None
    increasing([who for who, _, _ in histories])
    has_more = any(memory is not None for _, _, memory in histories) or statement.startswith(PROOF)
    too_long = any(log[0] > MAX_KEPT_SIZE for _, log, _ in histories)
    if height >= size or too_long or reader.at != len(data) or has_more != (version == 3):
        raise ValueError("no kept state")
    histories = {who: (log, memory) for who, log, memory in histories}
    state = {"origin": origin, "size": size, "root": root, "height": height}
    return {**state, "histories": histories, "committee": over}


def parse_statement(statement):
    """The note of a statement: it is one, or the proof of a certified header and of nothing else."""
    if not statement.startswith(PROOF):
        return parse_note(statement)
    extra, _, _, _, note = parse_file(statement.encode())
    _, _, histories, growth, texts, finality, _ = decode(extra, export)
    if histories or growth or texts or not finality:
        raise ValueError("a statement that is more than a certified header, or less")
    return note


# --- The command ---


def date(ms):
    """In UTC, as RFC 3339 has it; beyond the year 9999 just the number."""
    if ms >= 253402300800000:
        return f"{ms} ms"
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03}Z"


def batch():
    """For tests: requests a line in hex, an answer each.

    `export FILE POLICY KEPT NOW MAX_AGE` (the last three `-` if there is none; times in ms),
    `strict KEY MESSAGE SIGNATURE`, `cofactored KEY MESSAGE SIGNATURE`.
    """
    policies = functools.lru_cache(maxsize=64)(Policy)
    for line in sys.stdin:
        verb, *words = line.rstrip("\n").split(" ")
        if verb != "export":
            good = ed25519_verify(*map(bytes.fromhex, words), cofactored=verb == "cofactored")
            print("true" if good else "false", flush=True)
            continue
        file, policy, kept = (None if word == "-" else bytes.fromhex(word) for word in words[:3])
        now, max_age = (None if word == "-" else int(word) for word in words[3:])
        try:
            kept = None if kept is None else parse_kept(kept)
            found = verify(file, policies(policy), kept, now, max_age)
            answer = f"proved {found['fresh_as_of_ms']} {found['kept']}"
        except Refuted as found:
            answer = f"refuted {found.rule}"
        except CannotTell as found:
            answer = f"cannot_tell {found.doubt}"
        except ValueError:
            answer = "misuse"
        print(answer, flush=True)


def read(path, most):
    try:
        with open(path, "rb") as file:
            data = file.read(most + 1)
    except OSError as why:
        raise Misuse(f"{path}: {why.strerror}") from None
    if len(data) > most:
        raise Misuse(f"{path}: longer than {most} bytes")
    return data


def parse(path, read_it, data):
    try:
        return read_it(data)
    except ValueError as why:
        raise Misuse(f"{path}: {why}") from None


def lock(path):
    """Waits for whoever else verifies with this state, here or by `chartseal audit`; until the file is closed.

    It is a file beside the state: a state that is replaced can't be locked itself.
    """
    if fcntl is None:
        raise Misuse(f"{path}: no state can be locked on this system")
    try:
        file = open(path + ".lock", "ab")
        fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as why:
        raise Misuse(f"{path}.lock: {why.strerror}") from None
    return file


def keep(path, data):
    """Replaces the state as a whole: a crash leaves the old one or the new one, and after this the new one."""
    new = f"{path}.{os.getpid()}.new"
    try:
        with open(new, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
        folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as why:
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise Misuse(f"{path}: {why.strerror}") from None


class Parser(argparse.ArgumentParser):
    def error(self, message):
        self.print_usage(sys.stderr)
        raise Misuse(message)


def run():
    parser = Parser(description="Verifies a Chartseal export.")
    parser.add_argument("file", metavar="FILE")
    parser.add_argument("--trust", metavar="POLICY", required=True, help="whom to believe (C2SP tlog-policy)")
    parser.add_argument("--state", metavar="FILE", help="what was verified before; replaced after a proof")
    parser.add_argument("--max-age", metavar="SECONDS", type=int, help="how fresh the export has to be")
    parser.add_argument("--json", action="store_true", help="the verdict as JSON")
    args = parser.parse_args()
    policy = parse(args.trust, Policy, read(args.trust, MAX_POLICY))
    # Held until the new state is written, so that two verifiers don't overwrite each other.
    held = lock(args.state) if args.state else contextlib.nullcontext()
    with held:
        return verify_file(args, policy)


def verify_file(args, policy):
    kept = None
    if args.state and os.path.exists(args.state):
        kept = parse(args.state, parse_kept, read(args.state, MAX_STATE))
    file = read(args.file, MAX_FILE)
    max_age = None if args.max_age is None else args.max_age * 1000
    try:
        found = verify(file, policy, kept, int(time.time() * 1000), max_age)
        status, answer = 0, {"result": "proved", **found}
        state = bytes.fromhex(answer.pop("kept"))
        del answer["fresh_as_of_ms"]
        if args.state:
            keep(args.state, state)
    except Refuted as found:
        status, answer = 1, {"result": "refuted", "rule": found.rule, "found": str(found)}
    except CannotTell as found:
        status, answer = 2, {"result": "cannot_tell", "doubt": found.doubt, "why": str(found)}
    if args.json:
        print(json.dumps(answer, indent=2))
    elif status == 0:
        print("Proved: these histories are authentic and complete.")
        print(f"  chain      {answer['origin']}, {answer['log']['size']} blocks")
        print("  quorum     {signed} of {of} of \"{name}\", {needed} needed".format(**answer["quorum"]))
        print(f"  block      {answer['height']} of {answer['time']}")
        print(f"  complete   up to {answer['fresh_as_of']}")
        for history in answer["histories"]:
            print("  history    {subject}: {entries} entries from {first} on".format(**history))
    else:
        print("Refuted: the file proves nothing." if status == 1 else "Can't tell.")
        print(f"  {answer.get('rule') or answer['doubt']}: {answer.get('found') or answer['why']}")
    return status


def main():
    try:
        if sys.argv[1:] == ["--batch"]:
            return batch()
        return run()
    except Misuse as why:
        print(f"error: {why}", file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
