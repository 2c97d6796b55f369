"""Who sent a delivery: message authentication codes, compared in constant time, and how old a signed one may be."""

import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

from opswm_connectors.errors import TerminalSourceError

MOST_SIGNATURES: Final = 8


class RefusedDeliveryError(TerminalSourceError):
    """A delivery whose sender could not be told; nothing of it is taken, and the reason names no secret."""


def require_signature(secret: bytes, signed: bytes, given: Iterable[str], algorithm: str = "sha256") -> None:
    """Check that one of the signatures is ours, RFC 2104 HMAC in hexadecimal.

    Args:
        secret: Shared with the sender; several signatures serve a change of secrets.
        signed: What was signed.
        given: Signatures in hexadecimal.
        algorithm: Of the hash.

    Raises:
        RefusedDeliveryError: When there is none, or none fits.
    """
    expected = hmac.new(secret, signed, getattr(hashlib, algorithm)).hexdigest()
    shown = [text.strip().lower() for text in given][:MOST_SIGNATURES]
    if not shown:
        raise RefusedDeliveryError("the delivery carries no signature; set the same secret at the sender")
    fits = [hmac.compare_digest(expected.encode(), text.encode()) for text in shown]
    if not any(fits):
        raise RefusedDeliveryError("the signature is not ours; check that both sides have the same secret")


def require_token(secret: bytes, authorization: str | None) -> None:
    """Check a bearer token, for senders that cannot sign (RFC 6750).

    Args:
        secret: The token.
        authorization: The header.

    Raises:
        RefusedDeliveryError: When it is missing or another.
    """
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(secret, token.strip().encode()):
        raise RefusedDeliveryError("the delivery carries no bearer token, or another one than ours")
