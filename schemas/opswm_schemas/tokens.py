"""API tokens as they may be shown: whose they are and what they allow, never the secret itself."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from opswm_schemas.base import Closed, Identifier, ShortText, UtcDatetime

Scope = Literal["read", "ingest", "propose", "approve", "execute"]
"""What a token allows; none of them includes another."""


class ApiToken(Closed):
    """One token of one tenant.

    Attributes:
        prefix: The beginning of the secret, enough to tell tokens apart and useless for anything else.
        name: Who or what it was made for, in words.
        scopes: What it allows.
        system_ids: The systems it allows it for; every system of the tenant where empty.
        expires_at: From when on it is refused; None where it is good until it is revoked.
        revoked_at: When it was revoked.
    """

    token_id: Identifier
    tenant_id: Identifier
    prefix: ShortText
    name: ShortText
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=5)]
    system_ids: list[Identifier] = Field(default_factory=list, max_length=1_000)
    created_at: UtcDatetime
    expires_at: UtcDatetime | None = None
    revoked_at: UtcDatetime | None = None

    def is_good(self, at: datetime) -> bool:
        """Return whether it is accepted at a moment: not revoked at all, and not expired by then."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)

    def allows(self, scope: Scope, system_id: str | None = None) -> bool:
        """Return whether it allows something, for a system or for the tenant as a whole."""
        return scope in self.scopes and (not self.system_ids or system_id in self.system_ids)
