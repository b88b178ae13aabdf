"""Cosignatures (C2SP tlog-cosignature) by other people's code, aics-tlog: made and verified.

    sign SEED NAME TIME    a signed checkpoint on stdin: prints the verifier key, and the note with the cosignature
    verify VKEY            the same: prints the time of that key's cosignature, or "invalid"
"""

import base64
import sys

from aics_tlog import cosign, note as notes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def main():
    verb, *words = sys.argv[1:]
    note = notes.parse_note(sys.stdin.buffer.read())
    origin, size, root = note.text.splitlines()[:3]
    tree = origin, int(size), base64.b64decode(root)
    if verb == "sign":
        seed, name, time = words
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
        _, line = cosign.sign_cosignature(key, name, int(time), *tree)
        print(notes.format_vkey(cosign.cosignature_vkey(name, key.public_key())))
        sys.stdout.write(notes.Note(note.text, note.signatures + (line,)).serialise())
        return
    vkey = notes.parse_vkey(words[0])
    assert vkey.key_type == cosign.COSIGNATURE_TYPE
    for line in note.signatures:
        if (line.name, line.key_id) == (vkey.name, vkey.key_id):
            if cosign.verify_cosignature(line.signature, vkey.name, vkey.public_key, *tree):
                print(cosign.cosignature_timestamp(line.signature))
                return
    print("invalid")


main()
