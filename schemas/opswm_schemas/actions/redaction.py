"""Redaction: secrets and personal data leave an action before it is written anywhere.

A name decides (``db.password``), or the look of a value (a token, a key, a URL with a password in it, an
e-mail address). In running text only the part that gives something away is replaced. The actor and the
responders stay: who acted is the point of the record, and nobody may approve their own request.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Final

from opswm_schemas.actions.record import Action

REDACTED: Final = "[redacted]"
"""What stands where something was taken out."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS: Final = frozenset(
    {"password", "passwords", "passwd", "passphrase", "pwd", "secret", "secrets", "credential", "credentials",
     "authorization", "apikey", "apikeys", "dsn"}
)  # fmt: skip
_SECRET_PAIRS: Final = frozenset(
    {("api", "key"), ("access", "key"), ("private", "key"), ("signing", "key"), ("encryption", "key"), ("ssh", "key"),
     ("account", "key"), ("connection", "string"), ("pass", "word"), ("pass", "phrase")}
)  # fmt: skip
_SECRET_IF_TEXT: Final = frozenset(
    {"token", "tokens", "auth", "bearer", "cookie", "cookies", "jwt", "pin", "email", "mail", "phone"}
)
"""Words that name a secret or a person when the value is text, and a quantity when it is a number (``max_tokens``)."""

_LABELS: Final = ("key", "name", "type")
"""Fields that say what something is; they name a secret without being one."""
_ASSIGNED_FIELDS: Final = frozenset({"old", "new", "value", "from", "to"})
"""Fields that hold what a sibling label names, as in a configuration change."""
_REDACTED_FIELDS: Final = ("params", "previous_params", "transitions", "target", "source", "evidence")
_TEXT_LIMIT: Final = 2_000
"""What a ``ShortText`` may hold; a replacement can be longer than what it replaces."""
_IDENTIFIERS: Final = frozenset({"entity_id", "node", "target", "weights"})
"""Fields of typed parts that hold ids from the descriptor (``worker@2.service`` is no e-mail address)."""

_NUMBER: Final = re.compile(r"^\s*[-+]?\d+(\.\d+)?\s*[A-Za-z%]{0,4}\s*$|^\s*(true|false|on|off)?\s*$", re.IGNORECASE)
_REVEALING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Token, RFC 7519
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # AWS access key id
        r"\bgh[pousr]_[A-Za-z0-9]{20,}\b|\bgithub_pat_[A-Za-z0-9_]{20,}\b|\bglpat-[A-Za-z0-9_-]{16,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{10,}\b|\bsk-[A-Za-z0-9_-]{20,}",
        r"\bAIza[A-Za-z0-9_-]{30,}",
        r"(?i)\b(?:bearer|basic)\s+(?=[A-Za-z+/._~-]*[0-9=])[A-Za-z0-9+/=._~-]{8,}",
        r"(?<=://)[^\s/:@]{0,200}:[^\s/@]{1,200}(?=@)",  # user and password in a URL, RFC 3986 section 3.2.1
        r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}\.[A-Za-z]{2,24}\b",
    )
)
_ASSIGNED: Final = re.compile(
    r"(?i)(?P<name>(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key|access[_-]?key|authorization)[\"']?\s*[=:]\s*)"
    r"(?P<value>\"[^\"\n]+\"|'[^'\n]+'|[^\s,;&\"'\[][^\s,;&\"']*)"
)


def redact_action(action: Action) -> tuple[Action, list[str]]:
    """Return the action without secrets and personal data, and the paths of what was replaced.

    Redacting twice changes nothing more. The parameters stay valid for their type.

    Args:
        action: The action as it was observed or requested.

    Returns:
        The action to write, and paths such as ``params.new`` or ``transitions.0.note``; none where it was clean.
    """
    subject = getattr(action.params, "key", "")
    found: list[str] = []
    changed: dict[str, Any] = {}
    for name in _REDACTED_FIELDS:
        plain = _plain(getattr(action, name))
        secret = name == "previous_params" and names_secret(subject, "text")
        after = _redact(plain, name, found, secret=secret)
        if after != plain:
            changed[name] = after
    if not changed:
        return action, []
    document = action.model_dump(exclude=set(changed))
    return type(action).model_validate({**document, **changed}), found


def redact_text(text: str) -> str:
    """Return running text with credentials and e-mail addresses replaced by ``REDACTED``."""
    for pattern in _REVEALING:
        text = pattern.sub(REDACTED, text)
    return _ASSIGNED.sub(lambda match: match["name"] + REDACTED, text)


def names_secret(name: str, value: Any) -> bool:
    """Return whether a value under this name is secret or personal, going by the words of the name.

    Args:
        name: Such as ``db.password``, ``apiKey`` or ``SLACK_TOKEN``.
        value: What stands under it; ``max_tokens: 512`` is a quantity.
    """
    words = [word.lower() for word in _WORD.findall(name)]
    if _SECRET_WORDS & set(words) or _SECRET_PAIRS & set(pairwise(words)):
        return True
    is_quantity = not isinstance(value, str) or bool(_NUMBER.match(value))
    return bool(_SECRET_IF_TEXT & set(words)) and not is_quantity


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.model_dump() if hasattr(value, "model_dump") else value


def _redact(value: Any, path: str, found: list[str], *, secret: bool) -> Any:
    match value:
        case Mapping():
            return {
                key: item
                if path in {"params", "target"} and key in _IDENTIFIERS
                else _redact(item, f"{path}.{key}", found, secret=_is_secret(value, key, secret))
                for key, item in value.items()
            }
        case list() | tuple():
            return [_redact(item, f"{path}.{index}", found, secret=secret) for index, item in enumerate(value)]
        case None | bool():
            return value
        case str():
            replaced = REDACTED if secret and value else redact_text(value)
            if len(value) <= _TEXT_LIMIT:
                replaced = replaced[:_TEXT_LIMIT]
        case _:
            replaced = REDACTED if secret else value
    if replaced != value:
        found.append(path)
    return replaced


def _is_secret(siblings: Mapping[str, Any], key: str, secret: bool) -> bool:
    value = siblings[key]
    if key in _LABELS and isinstance(value, str):
        return False
    subjects = (siblings.get(label) for label in _LABELS if key in _ASSIGNED_FIELDS)
    named = any(isinstance(subject, str) and names_secret(subject, value) for subject in subjects)
    return secret or named or names_secret(key, value)
