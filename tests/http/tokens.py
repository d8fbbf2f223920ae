"""Tokens and keys as somebody else makes them: PyJWT and cryptography, no line of the module's."""

import base64
import functools
import hashlib
import json
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ALGORITHMS = ["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


@functools.cache
def private_key(kind, name=""):
    """A key of `kind` (oct, RSA, P-256, P-384, Ed25519); each `name` has its own."""
    if kind == "oct":
        return hashlib.sha512(name.encode()).digest()
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"P-256": ec.SECP256R1, "P-384": ec.SECP384R1}[kind]())


def kind_for(algorithm):
    return {"HS": "oct", "RS": "RSA", "PS": "RSA", "ES256": "P-256", "ES384": "P-384", "Ed": "Ed25519"}[
        algorithm if algorithm.startswith("ES") else algorithm[:2]]


def jwk(kind, kid, name="", **members):
    """The public half as a JSON Web Key."""
    key = private_key(kind, name)
    if kind == "oct":
        return {"kty": "oct", "kid": kid, "k": b64(key), **members}
    public = key.public_key()
    if kind == "RSA":
        numbers = public.public_numbers()
        return {"kty": "RSA", "kid": kid, "n": number(numbers.n), "e": number(numbers.e), **members}
    if kind == "Ed25519":
        raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": b64(raw), **members}
    numbers = public.public_numbers()
    size = {"P-256": 32, "P-384": 48}[kind]
    return {"kty": "EC", "crv": kind, "kid": kid, "x": number(numbers.x, size), "y": number(numbers.y, size), **members}


def jwks(*keys):
    return json.dumps({"keys": list(keys)}).encode()


def public_pem(kind, name=""):
    return private_key(kind, name).public_key().public_bytes(serialization.Encoding.PEM,
                                                             serialization.PublicFormat.SubjectPublicKeyInfo)


def token(algorithm="EdDSA", kid=None, name="", headers=None, **claims):
    """A signed token, good for a minute unless `exp` says otherwise (None: it has none). `kid` defaults to the kind."""
    claims = {"exp": int(time.time()) + 60, **claims}
    claims = {k: v for k, v in claims.items() if v is not None}
    kind = kind_for(algorithm)
    return jwt.encode(claims, private_key(kind, name), algorithm, headers={"kid": kid or kind, **(headers or {})})


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()
