"""Errors of every connector: whether asking the source again could help decides what a caller does."""


class SourceError(Exception):
    """Something a source gave, or failed to give; says where and what to do."""


class TransientSourceError(SourceError):
    """The same request may succeed later: the source is busy, away or rate limiting."""


class TerminalSourceError(SourceError):
    """The same request will fail again until somebody changes something: bad data, a missing file, a refusal."""
