"""The service's own log: lines on stderr."""

import logging
import sys
from typing import Final

from opswm_api.settings import Settings

_LINE: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up_log(settings: Settings) -> None:
    """Write the log of this process to stderr, from the level in the settings on."""
    logging.basicConfig(level=settings.log_level.upper(), stream=sys.stderr, format=_LINE)
    logging.getLogger("alembic").setLevel(logging.WARNING)
