"""remove.bg's routes: its names ↔ ours, its errors, its account.

``options`` reads its fields, ``replies`` writes what its clients read, and ``route`` cuts out.
"""

from cutout.http.removebg.options import ADD_SHADOW, DEFAULTS, IGNORED_WORDS
from cutout.http.removebg.replies import (
    ACCOUNT,
    CODES,
    removebg_error_reply,
    show_credits,
    status_told,
)
from cutout.http.removebg.route import key_sent, removebg_reply

__all__ = [
    "ACCOUNT",
    "ADD_SHADOW",
    "CODES",
    "DEFAULTS",
    "IGNORED_WORDS",
    "key_sent",
    "removebg_error_reply",
    "removebg_reply",
    "show_credits",
    "status_told",
]
