"""The documents of RFC 9457 that say what is wrong, without the web framework: the command line names problems too."""

from pydantic import BaseModel, ConfigDict, Field


class ProblemItem(BaseModel):
    """One thing wrong with a request.

    Attributes:
        pointer: JSON Pointer (RFC 6901, as a URI fragment) into the request body, where it is about one.
        parameter: The path, query or header parameter, where it is about one.
        detail: What was given, what is allowed and what to do.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(BaseModel):
    """An RFC 9457 problem document.

    Attributes:
        type: Identifies the kind of problem: ``about:blank`` where the status says all, else a URN of ours.
        errors: Every single thing that is wrong, where there are several.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: str = "about:blank"
    title: str
    status: int = Field(ge=400, le=599)
    detail: str
    instance: str | None = None
    errors: list[ProblemItem] = Field(default_factory=list)
