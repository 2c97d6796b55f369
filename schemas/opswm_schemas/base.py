"""What every contract shares: strictness, finite numbers, aware UTC instants and schema versions."""

import math
import re
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ModelWrapValidatorHandler,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

SCHEMA_MAJOR: Final = 1
SCHEMA_MINOR: Final = 0
SCHEMA_VERSION: Final = f"{SCHEMA_MAJOR}.{SCHEMA_MINOR}"
"""Version of the contracts in this package: unknown majors are refused, unknown minor fields are kept."""

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)

MAX_DURATION_S: Final = 3_155_760_000.0
"""A hundred years (of 365.25 days), in seconds: the longest duration there is, so that every instant plus a duration
is an instant."""

MAX_STEP_S: Final = 86_400.0
"""The longest tick or sampling step: a day."""

MAX_DEPTH: Final = 16
"""How deep free-form JSON may be nested."""

_NUMERAL: Final = re.compile(r"^\s*[-+]?\d+(\.\d*)?\s*$")
_reading_later_minor: ContextVar[bool] = ContextVar("opswm_reading_later_minor", default=False)


def _not_a_count(moment: Any) -> Any:
    if isinstance(moment, int | float) or (isinstance(moment, str) and _NUMERAL.match(moment)):
        raise ValueError(
            f"{moment} is a count, and nobody can tell of what: write the instant as RFC 3339 text with its offset, "
            "such as 2025-06-01T12:00:00Z"
        )
    return moment


def _to_utc(moment: datetime) -> datetime:
    moment = moment.astimezone(UTC)
    if not EARLIEST <= moment < LATEST:
        raise ValueError(
            f"{moment.isoformat()} is outside {EARLIEST:%Y} to {LATEST:%Y}; check whether the source counts in "
            "seconds, milliseconds or nanoseconds"
        )
    return moment


def format_utc(moment: datetime) -> str:
    """Return an instant as RFC 3339 text in UTC with microseconds and a ``Z``.

    Args:
        moment: An aware instant.
    """
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _not_text(value: Any) -> Any:
    if isinstance(value, str | bytes | bool):
        raise ValueError(f"{value!r:.80} is {type(value).__name__}, give a number")
    return value


def _not_a_number(value: Any) -> Any:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r:.80} is {type(value).__name__}, give true or false")
    return value


def require_json(value: Any, depth: int = 0) -> Any:
    """Return a value that is plain JSON with finite numbers and bounded depth, unchanged.

    Raises:
        ValueError: On NaN, infinities, values that JSON does not have, or nesting beyond ``MAX_DEPTH``.
    """
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels: flatten it")
    match value:
        case None | bool() | int() | str():
            pass
        case float():
            if not math.isfinite(value):
                raise ValueError(f"{value} is no JSON number: leave the value out where nothing was measured")
        case Mapping():
            for key, item in value.items():
                if not isinstance(key, str):
                    raise ValueError(f"key {key!r:.80} is no text")
                require_json(item, depth + 1)
        case list() | tuple():
            for item in value:
                require_json(item, depth + 1)
        case _:
            raise ValueError(f"{type(value).__name__} is no JSON value")
    return value


UtcDatetime = Annotated[
    AwareDatetime, BeforeValidator(_not_a_count), AfterValidator(_to_utc), PlainSerializer(format_utc, when_used="json")
]
"""An aware instant, held in UTC; naive timestamps and bare counts are refused: nobody can tell what they mean."""

Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@#-]*$")
]
"""A stable id: letters, digits and ``. _ : / @ # -``; it reaches file paths and URLs, so nothing else."""

ShortText = Annotated[str, StringConstraints(max_length=2_000)]
"""Text that people or telemetry wrote: bounded, and untrusted wherever it is shown."""

NotText = BeforeValidator(_not_text)
"""Refuses text and truth values where a number belongs; stands last, after the limits of the number."""

Number = Annotated[float, NotText]
"""A finite number; text that looks like one is a typing error of the source and is refused."""

Whole = Annotated[int, NotText]
"""A whole number, as ``Number``."""

Truth = Annotated[bool, BeforeValidator(_not_a_number)]
"""True or false, not 1, ``"yes"`` or the like."""

Ratio = Annotated[float, Field(ge=0.0, le=1.0), NotText]
NonNegative = Annotated[float, Field(ge=0.0), NotText]
Positive = Annotated[float, Field(gt=0.0), NotText]

Seconds = Annotated[float, Field(ge=0.0, le=MAX_DURATION_S), NotText]
"""A duration of at most a hundred years."""

PositiveSeconds = Annotated[float, Field(gt=0.0, le=MAX_DURATION_S), NotText]
"""A duration that is not nothing, of at most a hundred years."""

StepSeconds = Annotated[float, Field(gt=0.0, le=MAX_STEP_S), NotText]
"""Length of a tick, at most a day."""

CostMinutes = Annotated[float, Field(ge=0.0, le=MAX_DURATION_S / 60.0), NotText]
"""Bad minutes that an action costs, at most those of a hundred years."""

PlainJson = AfterValidator(require_json)
"""Holds free-form values to plain JSON; stands last, after the limits of their size."""

JsonObject = Annotated[dict[str, Any], PlainJson]
"""A free-form JSON object with finite numbers and bounded depth."""


class Closed(BaseModel):
    """A value of our own API: frozen, finite, and closed to fields nobody declared.

    Inside a document of a later minor version (see ``Versioned``) it keeps the fields it does not know and
    writes them back in their place, wherever it was moved in between.

    Raises:
        pydantic.ValidationError: On unknown or mistyped fields, NaN or infinities, naive timestamps.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_serializer(mode="wrap")
    def _with_later_fields(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {**fields, **self.__pydantic_extra__} if self.__pydantic_extra__ else fields

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the declared fields alone, with the tag of a union required."""
        described = handler({name: part for name, part in core_schema.items() if name != "serialization"})
        schema = handler.resolve_ref_schema(described)
        tags = [name for name, field in schema.get("properties", {}).items() if "const" in field]
        if tags:
            schema["required"] = [*tags, *(name for name in schema.get("required", []) if name not in tags)]
        return described


class Versioned(Closed):
    """A document that outlives the software that wrote it.

    ``schema_version`` is ``major.minor``. A foreign major is refused. Fields that a later minor version added,
    at any depth, are kept and written out again in their place, so a round trip loses nothing; the same
    unknown field in a document of our own minor version is a typing error and is refused.

    Raises:
        pydantic.ValidationError: On an unreadable or foreign ``schema_version``, or unknown fields.
    """

    schema_version: Annotated[str, Field(pattern=r"^\d{1,6}\.\d{1,6}$")] = SCHEMA_VERSION

    @property
    def extensions(self) -> dict[str, Any]:
        """Top-level fields of a later minor version, as they came; nested ones stay with their part."""
        return dict(self.__pydantic_extra__ or {})

    @model_validator(mode="wrap")
    @classmethod
    def _accept_later_minor(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(data, Mapping) or _reading_later_minor.get() or not _is_later_minor(data):
            return handler(data)
        _require_finite(data)
        token = _reading_later_minor.set(True)
        try:
            lenient: Self = cls.__pydantic_validator__.validate_python(dict(data), extra="allow")
        finally:
            _reading_later_minor.reset(token)
        document = handler(
            {name: getattr(lenient, name) for name in lenient.model_fields_set & cls.model_fields.keys()}
        )
        object.__setattr__(document, "__pydantic_extra__", lenient.__pydantic_extra__)
        return document


def _require_finite(value: Any, depth: int = 0) -> None:
    if depth > 4 * MAX_DEPTH:
        raise ValueError(f"nested deeper than {4 * MAX_DEPTH} levels: flatten it")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no JSON number: leave the value out where nothing was measured")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            _require_finite(item, depth + 1)


def _is_later_minor(data: Mapping[str, Any]) -> bool:
    version = data.get("schema_version", SCHEMA_VERSION)
    major, _, minor = str(version).partition(".")
    if not (major.isdecimal() and minor.isdecimal()):
        raise ValueError(f"schema_version {version!r:.40} is not major.minor, such as {SCHEMA_VERSION!r}")
    if int(major) != SCHEMA_MAJOR:
        raise ValueError(
            f"schema_version {version!r:.40} has major {major:.20}, this software reads major {SCHEMA_MAJOR}: "
            "convert the document with the opswm that wrote it, or upgrade opswm"
        )
    return int(minor) > SCHEMA_MINOR


class Fact(Closed):
    """Something that was observed, on two clocks.

    Attributes:
        event_at: When it happened at its source.
        known_at: When it could first be read here; "as of" reads compare with this one, so that a replay
            cannot look ahead.

    A source clock may run ahead of ours, so ``known_at`` before ``event_at`` is kept, never "repaired".
    """

    event_at: UtcDatetime
    known_at: UtcDatetime

    def known_by(self, moment: datetime) -> bool:
        """Return whether this fact could be read at ``moment``."""
        return self.known_at <= moment

    @classmethod
    def observed(cls, at: datetime, **fields: Any) -> Self:
        """Build a fact that was known the moment it happened."""
        return cls(event_at=at, known_at=at, **fields)
