"""Who sent a delivery: message authentication codes, compared in constant time, and how old a signed one may be."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from opswm_connectors.errors import TerminalSourceError

MOST_AGE: Final = timedelta(minutes=5)
"""How far the time in a signature may be from ours: what is older may be a replay."""

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


def require_recent(signed_at: datetime, received_at: datetime) -> None:
    """Check that the time in a signature is near ours.

    Args:
        signed_at: When the sender signed.
        received_at: When it came in.

    Raises:
        RefusedDeliveryError: When they are too far apart.
    """
    apart = abs(received_at - signed_at)
    if apart > MOST_AGE:
        raise RefusedDeliveryError(
            f"the delivery was signed {apart.total_seconds():.0f} s from our clock, at most "
            f"{MOST_AGE.total_seconds():.0f} s are taken; check the clocks, or it is a replay"
        )
