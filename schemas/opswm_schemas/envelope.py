"""CloudEvents 1.0.2 around an action, in structured mode: how actions travel between programs.

The event type follows CDEvents 0.5.1 for custom events, ``dev.cdeventsx.<tool>-<subject>.<predicate>.<version>``,
whose predicate has letters only and whose version has three parts.
"""

import hashlib
import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from opswm_schemas.actions.record import Action
from opswm_schemas.base import ShortText, UtcDatetime

CONTENT_TYPE: Final = "application/cloudevents+json"
"""Media type of an event in structured mode (CloudEvents JSON format 1.0.2, section 3)."""

TYPE_PREFIX: Final = "dev.cdeventsx.opswm-action."

_ATTRIBUTE: Final = re.compile(r"^[a-z0-9]{1,20}$")
_TYPE: Final = r"^dev\.cdeventsx\.opswm-action\.[a-z]+\.\d+\.\d+\.\d+$"


class ActionEvent(BaseModel):
    """One action as a CloudEvent; extension attributes of other programs are kept.

    Attributes:
        id: Unique for ``source``; the same facts have the same id, so a repeated delivery is seen as such.
        source: URI reference of the sender.
        type: ``dev.cdeventsx.opswm-action.<status>.<version>``, the status without underscores.
        subject: The action id.
        time: When the latest fact became known, where there is one.
        data: The action.

    Raises:
        pydantic.ValidationError: On attributes that CloudEvents does not allow, a type that is none of ours, or
            one that contradicts ``data``.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=400)]
    source: Annotated[str, Field(min_length=1, max_length=2_000)]
    type: Annotated[str, Field(pattern=_TYPE)]
    subject: ShortText | None = None
    time: UtcDatetime | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: ShortText | None = None
    data: Action

    @model_validator(mode="after")
    def _attributes_are_plain(self) -> Self:
        for name, value in (self.__pydantic_extra__ or {}).items():
            if not _ATTRIBUTE.match(name):
                raise ValueError(
                    f"attribute {name!r:.40} is not 1 to 20 lower-case letters and digits (CloudEvents 1.0.2)"
                )
            if not isinstance(value, str | bool | int):
                raise ValueError(f"attribute {name!r} must be text, a whole number, true or false")
        return self

    @model_validator(mode="after")
    def _type_agrees_with_data(self) -> Self:
        expected = event_type(self.data)
        if self.type.rsplit(".", 3)[0] != expected.rsplit(".", 3)[0]:
            raise ValueError(f"type {self.type!r} contradicts the facts in 'data', which say {expected!r}")
        if self.subject is not None and self.subject != self.data.action_id:
            raise ValueError(f"subject {self.subject!r:.200} is not the action_id {self.data.action_id!r} of 'data'")
        return self


def event_type(action: Action) -> str:
    """Return the CloudEvents type of an action in its present status."""
    predicate = action.status.replace("_", "")
    return f"{TYPE_PREFIX}{predicate}.{action.schema_version}.0"


def to_cloudevent(action: Action, source: str | None = None) -> dict[str, Any]:
    """Return an action as a JSON-ready CloudEvent in structured mode.

    Args:
        action: What to send; redact it first (``redact_action``) where it leaves the system.
        source: URI reference of the sender; ``/<tenant>/<system>`` where left out.
    """
    digest = hashlib.sha256(action.model_dump_json().encode()).hexdigest()[:16]
    event = ActionEvent(
        id=f"{action.action_id}.{digest}",
        source=source or f"/{action.tenant_id}/{action.system_id}",
        type=event_type(action),
        subject=action.action_id,
        time=max((fact.known_at for fact in action.transitions), default=None),
        data=action,
    )
    return event.model_dump(
        mode="json", exclude={name for name in ("time", "dataschema") if getattr(event, name) is None}
    )


def from_cloudevent(event: Any) -> Action:
    """Return the action inside a CloudEvent in structured mode.

    Args:
        event: The decoded JSON object.

    Raises:
        pydantic.ValidationError: As ``ActionEvent``.
    """
    return ActionEvent.model_validate(event).data
