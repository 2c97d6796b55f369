"""Tokens of the API: the secret is shown once, when it is made; kept is its digest, and who may do what with it."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Engine, insert, select, update

from opswm.clock import Clock
from opswm.errors import NotFoundError
from opswm.store.database import reading, write
from opswm.store.ledger_tables import API_TOKENS, from_microseconds, to_microseconds
from opswm_schemas.actions.redaction import redact_text
from opswm_schemas.tokens import ApiToken, Scope

_FORM: Final = re.compile(r"opswm_[0-9a-f]{8}_[A-Za-z0-9_-]{43}")
_COLUMNS = API_TOKENS.c


class SqlTokens:
    """Tokens in the ledger's database.

    A secret holds 256 random bits, so its plain SHA-256 cannot be turned back by guessing; nothing slower is needed.

    Args:
        engine: The database, at the newest revision.
        clock: Says what has expired.

    Raises:
        StoreError: From any method, when the database cannot be read or written.
    """

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine = engine
        self._clock = clock

    def create(
        self,
        tenant_id: str,
        name: str,
        scopes: Sequence[Scope],
        system_ids: Sequence[str] = (),
        expires_at: datetime | None = None,
    ) -> tuple[ApiToken, str]:
        """Make a token.

        Args:
            tenant_id: Whose.
            name: Who or what it is for, in words.
            scopes: What it allows.
            system_ids: Of which systems; of all where left out.
            expires_at: Until when; until it is revoked where left out.

        Returns:
            The token, and its secret, which nobody can read again.

        Raises:
            pydantic.ValidationError: When a field is not allowed.
        """
        handle = secrets.token_hex(4)
        secret = f"opswm_{handle}_{secrets.token_urlsafe(32)}"
        token = ApiToken(
            token_id=f"token-{secrets.token_hex(8)}",
            tenant_id=tenant_id,
            prefix=f"opswm_{handle}",
            name=redact_text(name),
            scopes=sorted(set(scopes)),
            system_ids=sorted(set(system_ids)),
            created_at=self._clock.now(),
            expires_at=expires_at,
        )
        key = {"tenant_id": tenant_id, "token_id": token.token_id, "digest": _digest(secret)}
        made = insert(API_TOKENS).values(**key, document=token.model_dump_json())
        write(self._engine, lambda connection: connection.execute(made))
        return token, secret

    def of_tenant(self, tenant_id: str) -> list[ApiToken]:
        """Return every token of a tenant, revoked ones too, in the order they were made."""
        query = select(_COLUMNS.document, _COLUMNS.revoked_at_us).where(_COLUMNS.tenant_id == tenant_id)
        with reading(self._engine) as connection:
            found = [_token(row.document, row.revoked_at_us) for row in connection.execute(query)]
        return sorted(found, key=lambda token: (token.created_at, token.token_id))

    def revoke(self, tenant_id: str, token_id: str) -> ApiToken:
        """Let a token be refused from now on, and return it; one that was revoked before stays as it was.

        Raises:
            NotFoundError: When the tenant has no such token.
        """
        this = (_COLUMNS.tenant_id == tenant_id, _COLUMNS.token_id == token_id)
        now = to_microseconds(self._clock.now())

        def work(connection: Connection) -> ApiToken:
            good = update(API_TOKENS).where(*this, _COLUMNS.revoked_at_us.is_(None))
            connection.execute(good.values(revoked_at_us=now))
            row = connection.execute(select(_COLUMNS.document, _COLUMNS.revoked_at_us).where(*this)).first()
            if row is None:
                raise NotFoundError(f"token {token_id!r} of tenant {tenant_id!r} is not known")
            return _token(row.document, row.revoked_at_us)

        return write(self._engine, work)

    def authenticate(self, secret: str) -> ApiToken:
        """Return the token that a secret belongs to.

        Raises:
            NotFoundError: When there is none that is good now; the same words whatever the reason.
        """
        refusal = NotFoundError("the token is not known, has expired or was revoked; ask for a new one")
        if not _FORM.fullmatch(secret):
            raise refusal
        query = select(_COLUMNS.document, _COLUMNS.revoked_at_us).where(_COLUMNS.digest == _digest(secret))
        with reading(self._engine) as connection:
            row = connection.execute(query).first()
        if row is None:
            raise refusal
        token = _token(row.document, row.revoked_at_us)
        if not token.is_good(self._clock.now()):
            raise refusal
        return token


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(document: str, revoked_at_us: int | None) -> ApiToken:
    revoked_at = None if revoked_at_us is None else from_microseconds(revoked_at_us)
    return ApiToken.model_validate_json(document).model_copy(update={"revoked_at": revoked_at})
