"""One shard, carried out: its bytes, or what it raised."""

from opswm.jobs.complete import Shard
from opswm.jobs.failures import Raised


def make(shard: Shard) -> bytes | Raised:
    """Run a shard; what it raises is returned.

    Args:
        shard: The shard.
    """
    try:
        result: object = shard()
    except Exception as error:
        return Raised.from_error(error)
    if not isinstance(result, bytes):
        return Raised("TypeError", f"a shard returns bytes, and this one returned {type(result).__name__}", "")
    return result
