"""Errors of the core: each says what was given, what is allowed and what to do."""


class OpswmError(Exception):
    """Base of every error the core raises on purpose."""


class NotFoundError(OpswmError):
    """A system, action, decision or file that is not there."""


class BadInputError(OpswmError):
    """Data or a question that cannot be accepted as it stands."""


class CheckpointError(OpswmError):
    """A checkpoint that is corrupt, foreign or of another version."""


class StoreError(OpswmError):
    """Data at rest that cannot be read or written."""


class LogFullError(StoreError):
    """An ingest log that takes nothing more until the tables have caught up.

    Attributes:
        retry_after_s: When it is worth trying again.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
