"""Why a handshake failed, in words for the log: OpenSSL's own, and what they mean where they do not say it.

OpenSSL's texts differ from version to version: what is not in the tables is said as it is.
"""

from __future__ import annotations

from OpenSSL import SSL

_CODES = SSL.X509VerificationCodes
#: Said of the peer's certificate, or of one in its chain.
_CERTIFICATE = {
    _CODES.ERR_CERT_NOT_YET_VALID: "is not valid yet",
    _CODES.ERR_CERT_HAS_EXPIRED: "has expired",
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: "is signed by itself, and none of the authorities'",
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN: "is that of an authority which is none of ours",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT: "is signed by none of the authorities",
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "is signed by none of the authorities",
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: "is signed by none of the authorities",
    _CODES.ERR_CERT_SIGNATURE_FAILURE: "has a wrong signature",
    _CODES.ERR_INVALID_CA: "is no authority's, but has signed another",
    _CODES.ERR_INVALID_PURPOSE: "is not for this end of a connection (extendedKeyUsage)",
    _CODES.ERR_CERT_REVOKED: "has been revoked",
}
#: What went wrong on our side of the handshake.
_FAULTS = {
    "peer did not return a certificate": "the peer shows no certificate",
    "unsupported protocol": "the peer offers nothing newer than TLS 1.1",
    "no shared cipher": "the peer offers no cipher suite with ECDHE and AEAD",
    "no suitable signature algorithm": "the peer knows no signature algorithm that our key is for",
    "http request": "the peer speaks HTTP",
}
#: What the peer complains of in an alert (RFC 8446 6.2).
_ALERTS = {
    "unknown ca": "does not know who has signed our certificate",
    "bad certificate": "finds our certificate wrong",
    "unsupported certificate": "finds our certificate to be of the wrong kind",
    "certificate expired": "finds our certificate expired",
    "certificate revoked": "finds our certificate revoked",
    "certificate unknown": "does not accept our certificate",
    "certificate required": "asks for a certificate",
    "handshake failure": "has no cipher suite in common with us, or wants a certificate",
    "protocol version": "has no TLS version in common with us",
    "access denied": "accepts our certificate, but not us",
}


def of_certificate(code: int, subject: str) -> str:
    """Why a certificate is not accepted, by OpenSSL's number for it."""
    what = _CERTIFICATE.get(code, f"is not accepted (OpenSSL's verification error {code})")
    return f"the certificate of {subject!r} {what}"


def of_error(error: SSL.Error) -> str:
    """Why a connection failed."""
    found = error.args[0] if error.args else ()
    if isinstance(found, str) or not found:
        return f"TLS failed {found}".strip()
    text = str(found[-1][-1])
    _, is_alert, alert = text.partition(" alert ")
    if is_alert:
        return f"the peer {_ALERTS.get(alert, 'ends it')} (alert: {alert})"
    return f"{_FAULTS[text]} ({text})" if text in _FAULTS else text
