"""LaunchDarkly's audit log by webhook: flags that were switched or rolled out to a share, in any order of arrival.

Source: LaunchDarkly documentation, "Webhooks" (payload: an audit log entry; ``X-LD-Signature``: HMAC-SHA256 of the
body) and the REST API's feature flag representation (weights of a rollout sum to 100,000).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from opswm_connectors.errors import TerminalSourceError
from opswm_connectors.webhooks.delivery import Delivery, Facts, text_of
from opswm_connectors.webhooks.documents import at, members, text_at
from opswm_connectors.webhooks.observed import ActorKind, Step, facts_of, observed_action
from opswm_connectors.webhooks.places import Places
from opswm_connectors.webhooks.signatures import require_signature
from opswm_connectors.webhooks.webhook import Webhook
from opswm_schemas.actions.parameters import FeatureFlag
from opswm_schemas.base import EARLIEST, LATEST
from opswm_schemas.ports import SystemKey

SOURCE: Final = "launchdarkly"
WHOLE_WEIGHT: Final = 100_000.0
_FLAG: Final = re.compile(r"proj/([^:;/]+):env/([^:;/]+):flag/([^:;/]+)")


def verify(delivery: Delivery, secret: bytes) -> None:
    """Check ``X-LD-Signature``.

    Raises:
        RefusedDeliveryError: When it does not fit.
    """
    mark = delivery.headers.get("x-ld-signature", "")
    require_signature(secret, delivery.body, [mark] if mark else [])


def translate(delivery: Delivery, system: SystemKey, places: Places) -> Facts:
    """Return the switch of a flag that an entry tells; changes that reach no user are passed over.

    Args:
        delivery: The request.
        system: Whose actions they are.
        places: Its entities; a flag, or else its project, has to be known by an alias or a name.

    Raises:
        TerminalSourceError: When the body is no entry of the audit log.
    """
    document = delivery.document()
    entry_id = text_of(document.get("_id"), 100)
    if not entry_id or not isinstance(document.get("accesses"), list):
        raise TerminalSourceError("an entry of the audit log has an '_id' and a list 'accesses'")
    named = next((found for access in document["accesses"] if (found := _flag(access))), None)
    if document.get("kind") != "flag" or named is None or named[1] not in places.environments:
        return Facts()
    project, environment, flag = named
    told = f"flag {flag}, entry {entry_id}"
    before, after = (_settings(document.get(name), environment) for name in ("previousVersion", "currentVersion"))
    if after is None:
        return Facts(left_out=(f"{told}: it tells no 'currentVersion' of environment {environment!r}",))
    if before == after:
        return Facts()
    moment = _instant_ms(document.get("date"))
    if moment is None:
        return Facts(left_out=(f"{told}: 'date' is no count of milliseconds since 1970",))
    place = places.find([f"{project}/{flag}", flag, project])
    if place is None:
        return Facts(left_out=(f"{told}: no entity is known for it; add an alias for the flag or its project",))
    person = text_at(document, "member", "email") or text_at(document, "member", "_id")
    actor: tuple[ActorKind, str] = ("human", person) if person else ("bot", "api")
    steps: list[Step] = [("started", moment, ""), ("succeeded", moment, "flags take effect as clients stream them")]
    switch = {"key": flag, "from": before[0] if before else None, "to": after[0], "rollout_ratio": after[1]}
    return facts_of(
        told,
        lambda: observed_action(
            system, SOURCE, entry_id, place, FeatureFlag.model_validate(switch), steps, delivery.received_at, actor
        ),
    )


def _flag(access: Any) -> tuple[str, str, str] | None:
    found = _FLAG.fullmatch(text_of(access.get("resource"), 500)) if isinstance(access, Mapping) else None
    return (found[1], found[2], found[3]) if found else None


def _settings(version: Any, environment: str) -> tuple[bool, float | None] | None:
    """Return whether a flag is on, and the share of its first variation where it is rolled out to one."""
    here = at(version, "environments", environment)
    is_on, rollout = at(here, "on"), at(here, "fallthrough", "rollout", "variations")
    if not isinstance(is_on, bool):
        return None
    if rollout is None:
        return is_on, None
    weight = next((share.get("weight") for share in members(rollout) if share.get("variation") == 0), 0)
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= WHOLE_WEIGHT:
        return is_on, None
    return is_on, weight / WHOLE_WEIGHT


def _instant_ms(value: Any) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**53:
        return None
    if not EARLIEST.timestamp() <= value / 1_000.0 < LATEST.timestamp():
        return None
    return datetime.fromtimestamp(value // 1_000, UTC).replace(microsecond=value % 1_000 * 1_000)


WEBHOOK: Final = Webhook("LaunchDarkly audit log", "HMAC-SHA256 of the body", verify, translate)
