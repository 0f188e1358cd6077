"""The variables that Powertools reads by itself, checked before it meets them.

One that is wrong, or empty, ends its import or the first request with an error that does not name
it.
"""

import re
from collections.abc import Iterator, Mapping

_SWITCHES = (
    "POWERTOOLS_DEBUG",
    "POWERTOOLS_DEV",
    "POWERTOOLS_LOG_DEDUPLICATION_DISABLED",
    "POWERTOOLS_LOGGER_LOG_EVENT",
    "POWERTOOLS_METRICS_DISABLED",
)
_SWITCH = re.compile("1|y|yes|t|true|on|0|n|no|f|false|off", re.IGNORECASE)
_RATE = "POWERTOOLS_LOGGER_SAMPLE_RATE"


def wrong_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the variables, one sentence for each."""
    for name in _SWITCHES:
        if not _SWITCH.fullmatch(environment.get(name, "false")):
            yield f"{name} must be true or false"
    if not _is_share(environment.get(_RATE) or "0"):
        yield f"{_RATE} must be a number from 0 to 1"


def _is_share(text: str) -> bool:
    try:
        return 0 <= float(text) <= 1
    except ValueError:
        return False
