"""TLS at a hospital's port: our certificate, and the very ones by which the hospital's systems prove themselves."""

import hashlib
import ssl
from asyncio import StreamWriter

from core.config import Config


class CertificateMissing(Exception):
    """The platform has no certificate of its own to show at MLLP ports, or it cannot be read."""


def secure(config: Config, certificates: tuple[bytes, ...]) -> ssl.SSLContext:
    """What a port needs to speak TLS. Each certificate (DER) is its own authority.

    :raises CertificateMissing: MLLP_CERTIFICATE and MLLP_KEY are not set.
    """
    if config.mllp_certificate is None or config.mllp_key is None:
        raise CertificateMissing
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.mllp_certificate, config.mllp_key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=b"".join(certificates))
    return context


def is_shown_by(writer: StreamWriter, certificates: tuple[bytes, ...]) -> bool:
    """Whether the peer has proven itself by one of these; not by one that such a one has signed. None: in clear."""
    connection = writer.get_extra_info("ssl_object")
    if connection is None:
        return not certificates
    shown = hashlib.sha256(connection.getpeercert(binary_form=True) or b"").digest()
    return shown in {hashlib.sha256(one).digest() for one in certificates}
