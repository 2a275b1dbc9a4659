"""The certificates by which hospitals' systems prove themselves at their ports."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from accounts.models import PortCertificate
from accounts.refusals import CertificateExpired, CertificateUnreadable
from core import clock


@dataclass(frozen=True)
class CertificateFile:
    """A trusted certificate. ``fingerprint``: SHA-256, 64 hexadecimal digits; ``subject`` as RFC 4514 writes it."""

    fingerprint: str
    subject: str
    valid_from: datetime
    valid_until: datetime
    trusted_at: datetime
    is_expired: bool


def read_certificate(written: bytes) -> tuple[bytes, bytes]:
    """A certificate as DER, and its fingerprint (SHA-256).

    :param written: X.509, as PEM or DER.
    :raises CertificateUnreadable: it is none.
    :raises CertificateExpired: its time is over.
    """
    try:
        if written.lstrip().startswith(b"-----BEGIN"):
            read = x509.load_pem_x509_certificate(written)
        else:
            read = x509.load_der_x509_certificate(written)
    except ValueError:
        raise CertificateUnreadable from None
    if read.not_valid_after_utc <= clock.now():
        raise CertificateExpired
    as_der = read.public_bytes(Encoding.DER)
    return as_der, hashlib.sha256(as_der).digest()


def show_certificate(row: PortCertificate) -> CertificateFile:
    """What is shown of a trusted one."""
    read = x509.load_der_x509_certificate(row.certificate)
    return CertificateFile(
        fingerprint=row.fingerprint.hex(),
        subject=read.subject.rfc4514_string(),
        valid_from=read.not_valid_before_utc,
        valid_until=read.not_valid_after_utc,
        trusted_at=row.trusted_at,
        is_expired=read.not_valid_after_utc <= clock.now(),
    )
