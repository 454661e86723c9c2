# SPDX-License-Identifier: Apache-2.0
"""The certificates of a fleet: made once, in one folder that every host gets a copy of.

Whoever has the folder may start programs on every host of the fleet, and nobody else may: one authority, whose key is
thrown away as soon as it has signed the one certificate that scheduler, workers and sweeps show each other.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from model_profiling.errors import UserError
from model_profiling.files import make_folder, write_bytes
from model_profiling.fleet.hosts.address import Address

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

#: Valid from before now: a host whose clock is behind must not find it too new.
_EARLIER, _VALID = timedelta(days=2), timedelta(days=5 * 365)
MAKE = "fleet_worker.py --make-certificates DIR"


@dataclass(frozen=True)
class Certificates:
    """The three files of a fleet's folder."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "fleet-ca.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "fleet.pem"

    @property
    def key(self) -> Path:
        return self.folder / "fleet-key.pem"

    @property
    def files(self) -> tuple[Path, ...]:
        return self.authority, self.certificate, self.key


def find_certificates(folder: Path | None, address: Address, flag: str = "--scheduler") -> Certificates | None:
    """Return the certificates of a connection, None where it stays on this machine and needs none.

    Raises
    ------
    UserError : the connection leaves this machine and there are none, or the folder lacks some.
    """
    if folder is None:
        if address.loopback:
            return None
        raise UserError(
            f"{address} is another machine, and a fleet runs programs for everybody who reaches it",
            f"in {flag}",
            f"make certificates once ({MAKE}), copy them to every host, and add --certificates DIR",
        )
    found = Certificates(folder.resolve())
    for file in found.files:
        if not file.is_file():
            raise UserError(f"{file.name} is not there", f"in --certificates {folder}", f"name a folder made by {MAKE}")
    return found


def make_certificates(folder: Path) -> Certificates:
    """Make the certificates of a new fleet.

    Raises
    ------
    UserError : there are some already, or the folder cannot be written.
    """
    made = Certificates(folder.resolve())
    if any(file.exists() for file in made.files):
        fix = "copy these to every host, or name another folder for another fleet"
        raise UserError("there are certificates already", f"at {folder}", fix)
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    make_folder(folder)
    _write_secret(made.key, secret)
    write_bytes(made.certificate, _signed("fleet", key.public_key(), authority, is_authority=False).public_bytes(pem))
    write_bytes(
        made.authority, _signed("fleet-ca", authority.public_key(), authority, is_authority=True).public_bytes(pem)
    )
    return made


def _write_secret(path: Path, secret: bytes) -> None:
    mask = os.umask(0o077)
    try:
        write_bytes(path, secret)
    finally:
        os.umask(mask)


def _signed(
    name: str, key: ec.EllipticCurvePublicKey, authority: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    def called(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sme-executorch-profiling {text}")])

    now = datetime.now(timezone.utc)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(called(name))
        .issuer_name(called("fleet-ca"))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _VALID)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(identifier, critical=False)
    )
    if is_authority:
        usage = dict.fromkeys(
            (
                "content_commitment",
                "key_encipherment",
                "data_encipherment",
                "key_agreement",
                "encipher_only",
                "decipher_only",
            ),
            False,
        )
        builder = builder.add_extension(
            x509.KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True, **usage), critical=True
        )
    return builder.sign(authority, hashes.SHA256())
