"""The pipeline: a photo's bytes go in, the encoded cutout comes out. Read this file first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from cutout.errors import BackgroundUrlDisabled, ModelUnavailable, OutOfMemory
from cutout.image.background import check_background, read_background
from cutout.image.compose import compose
from cutout.image.decode import Limits, Photo, decode
from cutout.image.encode import ImageFile, check_sides
from cutout.image.matte import Matte, extract_matte
from cutout.image.model import Model
from cutout.image.place import Box
from cutout.image.roi import edges_of, matte_around, part_of, region_of
from cutout.image.shrink import encode_within
from cutout.image.tensor import alpha_of
from cutout.options import Channels, Options
from cutout.report import Report
from cutout.stages import StageTimer

Loader = Callable[[], Model | ModelUnavailable]
"""Loads a model, or says why it never can; too little memory, which can pass, is MemoryError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The encoded cutout, and the report of how it was made.

    ``scale``, 0..1, is 1 unless it was made smaller to keep to a limit of bytes.
    """

    file: ImageFile
    report: Report
    scale: float = 1.0


class Remover:
    """Removes backgrounds with the models and within the limits of one deployment."""

    def __init__(
        self,
        model: Model | ModelUnavailable,
        limits: Limits,
        *,
        memory_pixels: int | None = None,
        name: str | None = None,
        others: Mapping[str, Loader] = MappingProxyType({}),
    ) -> None:
        """Keep the default model, or why it did not load: every removal then raises such an error.

        ``memory_pixels`` is the size of a canvas that fits into the memory of the deployment,
        ``None`` where that is not known. ``name`` is what the option ``model`` calls the default
        model, by default the card's name. ``others`` are the models that the option can name
        beside it; each is loaded when it is first asked for.
        """
        self._default = model
        self._limits = limits
        self._memory_pixels = memory_pixels
        self._name = model.card.name if name is None and isinstance(model, Model) else name
        self._others = others
        self._loaded: dict[str, Model | ModelUnavailable] = {}

    def remove(
        self,
        data: bytes | Callable[[], bytes],
        options: Options,
        *,
        background: bytes | None = None,
        budget_ms: float | None = None,
        max_bytes: int | None = None,
    ) -> Result:
        """Return the cutout of the photo in ``data``, encoded as ``options`` say.

        A caller that gives a function, which is called once, need not hold the photo's bytes, and
        then their memory is free for what follows the decoder.
        ``background`` is what was fetched from ``bg_image_url``: the file of an image, which takes
        the place of ``bg_image_file``. ``budget_ms`` is the time that is left for all stages
        together. A file of more than ``max_bytes``, or with sides that the format cannot hold, is
        made of a cutout that is scaled down; ``None`` sets no limit, and nothing is scaled down.

        :raises CutoutError: the failure that a stage found, of any kind in the tree.
        :raises TypeError: ``data`` is something else, such as a path, or ``options`` are.
        :raises ValueError: ``options`` name a model that this remover does not have.
        """
        _check_types(data, options)
        try:
            return self._removed(data, options, background, StageTimer(budget_ms), max_bytes)
        except MemoryError as error:
            raise OutOfMemory from error

    def _removed(
        self,
        data: bytes | Callable[[], bytes],
        options: Options,
        background: bytes | None,
        timer: StageTimer,
        max_bytes: int | None,
    ) -> Result:
        with timer("decode"):
            photo = decode(
                data() if callable(data) else data,
                limits=self._limits,
                cap_px=options.size.max_pixels,
                budget_ms=timer.left_ms(),
                check=partial(_check_options, options, is_fitted=max_bytes is not None),
            )
            region = None if options.roi is None else region_of(options.roi, photo)
            picture = self._picture(options, background)
        with timer("matte"):
            model = self._chosen(options.model)
            matte = _extracted(photo, region, model, options)
        with timer("compose"):
            cutout = compose(
                photo,
                matte,
                options,
                picture,
                may_overwrite=True,
                memory_pixels=self._memory_pixels,
            )
        photo_px, confidence = photo.width * photo.height, matte.confidence
        del photo, matte, picture  # frees memory that the encoder can use
        with timer("encode"):
            encoded = encode_within(cutout, options, max_bytes=max_bytes, has_time=timer.has_time)
        subject = encoded.cutout.subject
        report = Report(
            stage_ms=timer.stage_ms,
            photo_px=photo_px,
            subject=subject,
            coverage=encoded.cutout.coverage,
            confidence=confidence if subject.width else 0.0,
            model=model.card.label,
        )
        return Result(file=encoded.file, report=report, scale=encoded.scale)

    @property
    def model(self) -> str | None:
        """The default model's name and version as replies tell it; ``None`` if it did not load."""
        if isinstance(self._default, ModelUnavailable):
            return None
        return self._default.card.label

    def check(self, *, run: bool = True) -> None:
        """See that the default model has loaded, and ``run`` its network once on an empty tensor.

        :raises ModelUnavailable: it did not load, does not run, or answers what is no number.
        """
        model = self._chosen(None)
        if not run:
            return
        side = model.card.input_size
        try:
            alpha_of(model.network(np.zeros((1, 3, side, side), np.float32)), model.card)
        except ModelUnavailable:
            raise
        except Exception as error:  # the runtime's errors share no base but Exception
            raise ModelUnavailable(reason=str(error)) from error

    @staticmethod
    def check_background(options: Options) -> None:
        """See that ``bg_image_file`` begins as an image does, before any image is brought.

        :raises InvalidBackground: it does not.
        """
        if options.bg_image_file is not None and options.channels is not Channels.ALPHA:
            check_background(options.bg_image_file)

    def _picture(self, options: Options, fetched: bytes | None) -> NDArray[np.uint8] | None:
        """Return the image for the background, uint8 (H, W, 3), where there is one to show.

        :raises InvalidBackground: it cannot be read.
        :raises BackgroundUrlDisabled: nobody fetched ``bg_image_url``.
        """
        if options.channels is Channels.ALPHA:
            return None
        data = options.bg_image_file if fetched is None else fetched
        if data is None and options.bg_image_url is not None:
            raise BackgroundUrlDisabled
        return None if data is None else read_background(data, self._limits)

    def _chosen(self, name: str | None) -> Model:
        """Return the model of this name, or the default one for ``None``.

        :raises ModelUnavailable: it did not load.
        :raises MemoryError: there is too little memory to load it; the next call tries again.
        :raises ValueError: there is no such model; who parses the options knows their names.
        """
        model = self._default
        if name is not None and name != self._name:
            if name not in self._others:
                names = [each for each in (self._name, *self._others) if each is not None]
                raise ValueError(f"model must be one of {', '.join(names)}, not {name!r}")
            if name not in self._loaded:
                loaded = self._others[name]()
                if isinstance(loaded, ModelUnavailable):
                    # The loader's own error keeps its frames, and these keep the photo at hand.
                    loaded = ModelUnavailable(**loaded.facts)
                self._loaded[name] = loaded
            model = self._loaded[name]
        if isinstance(model, ModelUnavailable):
            # A new one each time: an exception that is raised again keeps the frames of every
            # raise, and with them the photo of every request.
            raise ModelUnavailable(**model.facts)
        return model


def _check_types(data: object, options: object) -> None:
    """Name an argument of a wrong type; a stage would fail on it in words that tell nothing.

    :raises TypeError: ``data`` is neither bytes nor a function, or ``options`` are no ``Options``.
    """
    if not isinstance(data, bytes | bytearray) and not callable(data):
        raise TypeError(
            "data must be the bytes of an image, or a function that returns them, not "
            f"{type(data).__name__}; pathlib.Path.read_bytes reads them from a file"
        )
    if not isinstance(options, Options):
        raise TypeError(
            f"options must be Options, not {type(options).__name__}; "
            "the first of the two values that cutout.options.parse_options returns is one"
        )


def _check_options(
    options: Options, original: tuple[int, int], size: tuple[int, int], *, is_fitted: bool
) -> None:
    """Hold the options to the photo's upright width and height, in px, by its header.

    ``size`` is ``original`` or what a cap made of it. A result that ``is_fitted`` has any sides.

    :raises CutoutError: the region of interest is not in the photo, or the format cannot hold it.
    """
    if not is_fitted:
        check_sides(*size, options)
    if options.roi is not None:
        edges_of(options.roi, *original)


def _extracted(photo: Photo, region: Box | None, model: Model, options: Options) -> Matte:
    """Return the matte of the photo, or of its region of interest with 0 around it."""
    part = photo if region is None else part_of(photo, region)
    matte = extract_matte(part, model.card, model.network, input_alpha=options.input_alpha)
    return matte if region is None else matte_around(matte, region, photo)
