"""What one deployment is told.

``values`` are the typed settings, and ``environment`` reads them from environment variables.
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
