"""Seals and opens what a test hands over: HPKE by PyPI `cryptography`.

One JSON document in, one out, every value in hex. `cryptography` seals one message a context. Its
public functions take no associated data; where there is some, those that lie behind them do.
"""

import hashlib
import json
import sys

from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519

SUITE = hpke.Suite(
    hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305
)


def secret_key(seed):
    """X-Wing's secret key is a seed for both halves' keys."""
    halves = hashlib.shake_256(seed).digest(96)
    return hpke.MLKEM768X25519PrivateKey(
        mlkem.MLKEM768PrivateKey.from_seed_bytes(halves[:64]),
        x25519.X25519PrivateKey.from_private_bytes(halves[64:]),
    )


def public_key(key):
    return hpke.MLKEM768X25519PublicKey(
        mlkem.MLKEM768PublicKey.from_public_bytes(key[:1184]),
        x25519.X25519PublicKey.from_public_bytes(key[1184:]),
    )


def open_one(sealed, key, info, aad):
    if aad:
        return openssl.hpke._decrypt_with_aad(SUITE, sealed, key, info, aad)
    return SUITE.decrypt(sealed, key, info)


def seal_one(text, key, info, aad):
    if aad:
        return openssl.hpke._encrypt_with_aad(SUITE, text, key, info, aad)
    return SUITE.encrypt(text, key, info)


def answer(job):
    key, info = bytes.fromhex(job["key"]), bytes.fromhex(job["info"])
    [message] = job["messages"]
    aad, data = bytes.fromhex(message["aad"]), bytes.fromhex(message["data"])
    if job["enc"] is not None:
        sealed = bytes.fromhex(job["enc"]) + data
        return {"enc": None, "messages": [open_one(sealed, secret_key(key), info, aad).hex()]}
    sealed = seal_one(data, public_key(key), info, aad)
    length = hpke.KEM.MLKEM768_X25519.enc_length()
    return {"enc": sealed[:length].hex(), "messages": [sealed[length:].hex()]}


json.dump(answer(json.load(sys.stdin)), sys.stdout)
