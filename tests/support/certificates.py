"""Certificates as hospitals' systems show them."""

import secrets
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from core import clock


class Certificate:
    """A certificate with its key, as files; signed by itself, or by another.

    :param days: from now until it ends.
    :param host: the address that a server with it proves to have.
    """

    def __init__(
        self, folder: Path, name: str, issuer: "Certificate | None" = None, *, days: int = 1, host: str = "127.0.0.1"
    ) -> None:
        self.key, now = ec.generate_private_key(ec.SECP256R1()), clock.now()
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = issuer or self
        made = (
            x509.CertificateBuilder()
            .subject_name(self.name)
            .issuer_name(issuer.name)
            .public_key(self.key.public_key())
            .serial_number(secrets.randbits(100))
            .not_valid_before(now - timedelta(days=3))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
            .sign(issuer.key, hashes.SHA256())
        )
        self.files = folder / f"{name}.pem", folder / f"{name}.key"
        self.files[0].write_bytes(made.public_bytes(Encoding.PEM))
        self.files[1].write_bytes(self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
