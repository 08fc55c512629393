#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes what the security tests of NATS need, with nothing but openssl and this file.

usage: nats_secrets.py DIR

In DIR: a certificate authority and another one, certificates of a server and of a client, an nkey,
an operator with an account and a user's .creds (decentralised JWT security), files with a password
and a token, and a nats-server configuration for each way to log in.
"""
import base64
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import time

PREFIX = {"operator": 14 << 3, "account": 0, "user": 20 << 3}
SEED = 18 << 3


def crc16(data):
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc.to_bytes(2, "little")


def base32(data):
    return base64.b32encode(data).decode().rstrip("=")


class Key:
    """An Ed25519 key pair, and its names as NATS writes them."""

    def __init__(self, kind, folder):
        self.path = folder / f"{kind}-{os.urandom(4).hex()}.pem"
        seed = os.urandom(32)
        der = bytes.fromhex("302e020100300506032b657004220420") + seed
        self.path.write_text("-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der).decode() +
                             "\n-----END PRIVATE KEY-----\n")
        public = openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")[-32:]
        prefix = PREFIX[kind]
        head = bytes([SEED | prefix >> 5, (prefix & 31) << 3])
        self.seed = base32(head + seed + crc16(head + seed))
        named = bytes([prefix]) + public
        self.public = base32(named + crc16(named))

    def sign(self, data):
        text = self.path.with_suffix(".text")
        text.write_bytes(data)
        return openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.path, "-in", text)


def openssl(*arguments):
    return subprocess.run(["openssl", *[str(a) for a in arguments]], check=True,
                          capture_output=True).stdout


def url64(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def jwt(issuer, subject, name, nats):
    claims = {"iat": int(time.time()), "iss": issuer.public, "name": name, "sub": subject.public,
              "nats": {**nats, "version": 2}}
    digest = hashlib.new("sha512_256", json.dumps(claims).encode()).digest()
    claims["jti"] = base64.b32encode(digest).decode().rstrip("=")
    text = url64(b'{"typ":"JWT","alg":"ed25519-nkey"}') + "." + url64(json.dumps(claims).encode())
    return text + "." + url64(issuer.sign(text.encode()))


def creds(user_jwt, user):
    return (f"-----BEGIN NATS USER JWT-----\n{user_jwt}\n------END NATS USER JWT------\n\n"
            f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n")


def authority(folder, name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.pem")


def certificate(folder, name, ca, extra):
    (folder / f"{name}.ext").write_text(extra)
    openssl("req", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout",
            folder / f"{name}.key", "-out", folder / f"{name}.csr")
    openssl("x509", "-req", "-days", "2", "-in", folder / f"{name}.csr", "-CA", folder / f"{ca}.pem",
            "-CAkey", folder / f"{ca}.key", "-CAcreateserial", "-extfile", folder / f"{name}.ext",
            "-out", folder / f"{name}.pem")


def make_certificates(folder):
    authority(folder, "ca")
    authority(folder, "other-ca")
    certificate(folder, "server", "ca", "subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    certificate(folder, "elsewhere", "ca", "subjectAltName=DNS:elsewhere.example\n")
    certificate(folder, "client", "ca", "extendedKeyUsage=clientAuth\n")


def tls(folder, name, more=""):
    return (f'tls {{ cert_file: "{folder}/{name}.pem", key_file: "{folder}/{name}.key", '
            f'ca_file: "{folder}/ca.pem" {more} }}\n')


def make_jwt_configuration(folder):
    operator, account, user = Key("operator", folder), Key("account", folder), Key("user", folder)
    limits = {"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": True,
              "conn": -1, "leaf": -1}
    operator_jwt = jwt(operator, operator, "qnode", {"type": "operator"})
    account_jwt = jwt(operator, account, "demo", {"type": "account", "limits": limits})
    user_jwt = jwt(account, user, "agent7", {
        "type": "user", "subs": -1, "data": -1, "payload": -1,
        "pub": {"deny": ["forbidden.>"]}, "sub": {}})
    (folder / "operator.jwt").write_text(operator_jwt)
    (folder / "user.creds").write_text(creds(user_jwt, user))
    stranger = Key("user", folder)
    (folder / "stranger.creds").write_text(creds(jwt(stranger, stranger, "stranger",
                                                     {"type": "user"}), stranger))
    (folder / "jwt.conf").write_text(
        f'operator: "{folder}/operator.jwt"\nresolver: MEMORY\n'
        f'resolver_preload: {{ {account.public}: "{account_jwt}" }}\n')


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    make_certificates(folder)
    make_jwt_configuration(folder)
    user, other = Key("user", folder), Key("user", folder)
    files = {
        "user.seed": f"# the seed of {user.public}\n{user.seed}\n",
        "other.seed": other.seed,
        "password": "correct horse\n",
        "token": "s3cret-token\n",
        "wrong": "not-it\n",
        "empty": "",
        "blank": "\n",
        "password.conf": 'authorization { user: agent7, password: "correct horse" }\n',
        "changed.conf": 'authorization { user: agent7, password: "changed" }\n',
        "token.conf": 'authorization { token: "s3cret-token" }\n',
        "nkey.conf": f"authorization {{ users = [ {{ nkey: {user.public} }} ] }}\n",
        "tls.conf": tls(folder, "server"),
        "elsewhere.conf": tls(folder, "elsewhere"),
        "mtls.conf": tls(folder, "server", ", verify: true"),
    }
    for name, text in files.items():
        (folder / name).write_text(text)


main()
