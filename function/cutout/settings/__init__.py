"""What one deployment is told.

``values`` are the typed settings, ``environment`` has a row for each environment variable that sets
one, ``readers`` turn the variables' texts into values, and ``powertools`` checks the variables that
Powertools reads by itself.
"""

from cutout.settings.environment import read_settings
from cutout.settings.values import INCOMING_PREFIX, RESULTS_PREFIX, KeyCheck, Settings

__all__ = [
    "INCOMING_PREFIX",
    "RESULTS_PREFIX",
    "KeyCheck",
    "Settings",
    "read_settings",
]
