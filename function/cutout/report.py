"""What one removal did and found, as the replies, the logs and the metrics tell it."""

from collections.abc import Mapping
from dataclasses import dataclass

from cutout.image.place import Box


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one removal did and found.

    ``stage_ms`` maps each stage to its duration in ms; ``photo_px`` is the number of pixels that
    were worked on. ``subject`` is the subject's box in the result, of size 0 if there is none;
    ``coverage`` the matte's mean over the result, 0..1. ``confidence`` is that of the
    :class:`~cutout.image.matte.Matte`, 0..1, and 0 if there is no subject in the result. ``model``
    is the name and the version of the model.
    """

    stage_ms: Mapping[str, float]
    photo_px: int
    subject: Box
    coverage: float
    confidence: float
    model: str
