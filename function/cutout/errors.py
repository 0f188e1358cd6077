"""Every failure that a caller can meet, as a tree of exceptions.

A class carries ``status``, ``code`` and the sentence; the raise carries the facts as keywords,
which fill the sentence and go into the log. Under 500 the fault is the caller's and a retry cannot
help (but for ``ImageUrlFetchFailed``: the image's host may answer later). The first line of a
class's docstring, up to a colon, is public: with it the OpenAPI document says what the code means.

::

    CutoutError                     500 internal_error
    ├── InvalidOption               400 invalid_<option>
    │   ├── BackgroundUrlDisabled       invalid_bg_image
    │   └── ObjectBackground            invalid_bg_image
    ├── InvalidEvent                400 bad_request
    ├── DuplicateOption             400 duplicate_option
    │   └── ObjectDuplicate
    ├── MultipleBackgrounds         400 multiple_bg_sources
    ├── InvalidBackground           400 invalid_bg_image
    ├── RoiExceedsBounds            400 roi_exceeds_bounds
    ├── RoiRegionEmpty              400 roi_region_empty
    ├── MissingImage                400 missing_image
    ├── MultipleSources             400 multiple_sources
    ├── InvalidBase64               400 invalid_base64
    ├── InvalidJson                 400 invalid_json
    ├── InvalidForm                 400 invalid_form
    ├── InvalidMultipart            400 invalid_multipart
    ├── InvalidImage                400 invalid_image
    ├── ImageTooSmall               400 image_too_small
    ├── InvalidImageKey             400 invalid_image_key
    ├── InvalidImageUrl             400 invalid_image_url
    ├── ImageUrlFetchFailed         400 image_url_fetch_failed
    ├── ImageUrlDisabled            400 image_url_disabled
    ├── StorageDisabled             400 storage_disabled
    ├── InvalidApiKey               401 invalid_api_key
    ├── NotFound                    404 not_found
    ├── MethodNotAllowed            405 method_not_allowed
    ├── PayloadTooLarge             413 payload_too_large
    ├── ObjectTooLarge              413 payload_too_large
    ├── ImageTooLarge               413 image_too_large
    │   └── ImageSideTooLong
    ├── ResultTooLarge              413 result_too_large
    ├── UnsupportedMediaType        415 unsupported_media_type
    │   ├── UnsupportedContentEncoding
    │   ├── UnsupportedUploadRequest
    │   └── UnsupportedUploadType
    ├── UnsupportedImageFormat      415 unsupported_image_format
    │   └── HeicNotDeployed
    ├── UnknownForeground           422 unknown_foreground
    ├── InvalidSettings             500 internal_error     the deployment's own variables
    ├── StorageFailed               500 internal_error     S3 refuses or does not answer
    ├── UnknownEvent                500 internal_error     the kind of an event is unknown
    ├── UploadsFailed               500 internal_error     some of an S3 event's objects
    ├── KeysUnavailable             503 internal_error     the list of API keys cannot be read
    ├── OutOfMemory                 503 internal_error     the deployment has too little
    ├── ModelUnavailable            503 model_unavailable
    └── OutOfTime                   504 timeout
"""

from typing import ClassVar
from urllib.parse import quote

from cutout.formats import FORMATS_IN

SERVER_FAULT = 500
"""From this status on the fault is the service's, and trying again may help."""

_FORMATS = ", ".join(FORMATS_IN)
_MAX_TOLD_NAME = 40  # characters


class CutoutError(Exception):
    """The base of all: ``str(error)`` is the message for the client, ``facts`` are for the log.

    ``detail`` says what is accepted, where there is something to choose.
    """

    status: ClassVar[int] = 500
    text: ClassVar[str] = (
        "The request failed on our side. Please try again. If it keeps failing, report the "
        "request_id."
    )
    accepted: ClassVar[str] = ""
    code: str = "internal_error"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        self.detail = self.accepted.format(**facts)
        super().__init__(self.text.format(**facts))

    @property
    def is_ours(self) -> bool:
        """Whether the fault is on our side, so that trying again may help; else the caller's."""
        return self.status >= SERVER_FAULT


def envelope(error: CutoutError, request_id: str) -> dict[str, dict[str, object]]:
    """Return the JSON document that both doors answer an error with: exactly four fields."""
    return {
        "error": {
            "code": error.code,
            "message": str(error),
            "status": error.status,
            "request_id": request_id,
        }
    }


def told_name(name: str) -> str:
    """Return a field's name for a message, in ASCII and shortened: it is the caller's data."""
    return quote(name, safe="", errors="replace")[:_MAX_TOLD_NAME]


class InvalidOption(CutoutError):
    """An option's value is not one of those accepted: facts ``option``, ``accepted``, ``name``.

    ``name`` is the field as the caller knows it, ``option`` names the code.
    """

    status = 400
    text = "{name} must be {accepted}."
    accepted = "{accepted}"

    def __init__(self, *, option: str, accepted: str, name: str | None = None) -> None:
        super().__init__(option=option, accepted=accepted, name=name or option)
        self.code = f"invalid_{option}"


class BackgroundUrlDisabled(InvalidOption):
    """The background is given as a URL, and the deployment does not fetch URLs."""

    def __init__(self) -> None:
        super().__init__(
            option="bg_image",
            name="bg_image_url",
            accepted="left out: this deployment does not fetch URLs",
        )


class ObjectBackground(InvalidOption):
    """The options of an S3 object name an image as its background: fact ``name``, the option."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            option="bg_image",
            name=name,
            accepted="left out: S3 objects can have bg_color or bg_blur instead",
        )


class InvalidEvent(CutoutError):
    """The request cannot be read: its event is not as API Gateway sends it.

    Facts ``part``, which is missing or wrong, and the ``kind`` of value that it must have.
    """

    status = 400
    code = "bad_request"
    text = "The event is not as API Gateway sends it: {part} must be {kind}."
    accepted = "an event as API Gateway sends it"


class DuplicateOption(CutoutError):
    """An option is given twice, in one place or in two: fact ``option``."""

    status = 400
    code = "duplicate_option"
    text = "{option} is given more than once. Send it once, in the body or in the query string."


class ObjectDuplicate(DuplicateOption):
    """The options of an S3 object name one twice, in two spellings: fact ``option``."""

    text = (
        "{option} is given more than once: capital letters, - and _ make no difference in its "
        "name. Give it once."
    )


class MultipleBackgrounds(CutoutError):
    """More than one of the ``bg_*`` options is given: fact ``given``, their names."""

    status = 400
    code = "multiple_bg_sources"
    text = "Only one background is accepted, but {given} were sent."


class InvalidBackground(CutoutError):
    """The background image is refused.

    Facts ``reason``, the sentences of the refusal that a photo would get, and ``accepted``, what
    that refusal accepts.
    """

    status = 400
    code = "invalid_bg_image"
    text = "The background image cannot be used. {reason}"
    accepted = "{accepted}"


class RoiExceedsBounds(CutoutError):
    """The region of interest is not within the photo: fact ``reason``."""

    status = 400
    code = "roi_exceeds_bounds"
    text = "roi must lie within the image: {reason}."
    accepted = "a region within the upright image"


class RoiRegionEmpty(CutoutError):
    """The region of interest contains no pixel."""

    status = 400
    code = "roi_region_empty"
    text = "roi must contain at least one pixel: x1 must be less than x2, and y1 less than y2."
    accepted = "a region of at least one pixel"


class MissingImage(CutoutError):
    """The request has no image source.

    Facts ``accepted``, the sources of this deployment, and ``found``, a sentence about what came
    instead (empty without one).
    """

    status = 400
    code = "missing_image"
    text = "No image was sent. Send {accepted}.{found}"
    accepted = "{accepted}"


class MultipleSources(CutoutError):
    """The request has more than one image source.

    Facts ``given``, the words about what was sent, and ``accepted``, this deployment's sources.
    """

    status = 400
    code = "multiple_sources"
    text = "Exactly one image source is accepted, but {given}."
    accepted = "one of {accepted}"


class InvalidBase64(CutoutError):
    """A field is not base64: fact ``field``."""

    status = 400
    code = "invalid_base64"
    text = "{field} must be base64 (RFC 4648), with or without a data:…;base64, prefix."


class InvalidJson(CutoutError):
    """The body is not a JSON object: fact ``reason``."""

    status = 400
    code = "invalid_json"
    text = "The body must be one JSON object, but {reason}."


class InvalidForm(CutoutError):
    """The body is not a form that can be read: fact ``reason``."""

    status = 400
    code = "invalid_form"
    text = "The body must be a form (application/x-www-form-urlencoded) in UTF-8, but {reason}."


class InvalidMultipart(CutoutError):
    """The body is not well-formed multipart/form-data: fact ``reason``."""

    status = 400
    code = "invalid_multipart"
    text = "The body must be well-formed multipart/form-data (RFC 7578), but {reason}."


class InvalidImage(CutoutError):
    """The bytes are empty, truncated or not an image: fact ``reason``."""

    status = 400
    code = "invalid_image"
    text = f"The image cannot be read: {{reason}}. Accepted: {_FORMATS}."
    accepted = _FORMATS


class ImageTooSmall(CutoutError):
    """A side of the image is shorter than 2 px: facts ``width``, ``height`` in px."""

    status = 400
    code = "image_too_small"
    text = "The image is {width}x{height} px; each side must be at least 2 px."
    accepted = "sides of at least 2 px"


class InvalidImageKey(CutoutError):
    """``image_key`` does not name an uploaded object: fact ``prefix``, where uploads are."""

    status = 400
    code = "invalid_image_key"
    text = (
        "image_key must be a key that POST /v2/uploads gave, under {prefix}, whose upload is "
        "complete."
    )
    accepted = "a key under {prefix} whose upload is complete"


class InvalidApiKey(CutoutError):
    """The key is missing, or it is not one of the accepted ones."""

    status = 401
    code = "invalid_api_key"
    text = "Missing or invalid API key."
    accepted = "a valid key in the header x-api-key"


class InvalidImageUrl(CutoutError):
    """The URL is not one that this service fetches: fact ``field``.

    The message is the same for a private address and for a name that is not found, so that nobody
    learns from it which names the deployment's own network has.
    """

    status = 400
    code = "invalid_image_url"
    text = (
        "{field} must be an http or https URL, on port 80 or 443 and without a user name, of a "
        "host that has public addresses only."
    )
    accepted = "an http or https URL of a public host"


class ImageUrlFetchFailed(CutoutError):
    """The image could not be fetched: facts ``field``, ``reason``.

    The reason never holds an address or what was sent.
    """

    status = 400
    code = "image_url_fetch_failed"
    text = "The image at {field} could not be fetched: {reason}."
    accepted = "a URL that answers within seconds, with status 200 and the image"


class ImageUrlDisabled(CutoutError):
    """The deployment does not fetch URLs.

    The status is not 403, because clients take that for a wrong key.
    """

    status = 400
    code = "image_url_disabled"
    text = "This deployment does not fetch image_url. Send the image itself."
    accepted = "the image itself, as a file or as base64"


class StorageDisabled(CutoutError):
    """The deployment has no bucket.

    The status is not 403, because clients take that for a wrong key.
    """

    status = 400
    code = "storage_disabled"
    text = (
        "This deployment has no bucket: image_key, response=url and /v2/uploads are off. "
        "Send the image in the request and use response=inline."
    )
    accepted = "image_file or image_base64, with response=inline"


class NotFound(CutoutError):
    """The path does not exist."""

    status = 404
    code = "not_found"
    text = "There is nothing at this path. The main route is POST /v2."


class MethodNotAllowed(CutoutError):
    """The path exists and has other methods: fact ``allow``, the ``Allow`` header's value."""

    status = 405
    code = "method_not_allowed"
    text = "This path accepts the methods {allow}."
    accepted = "{allow}"


class PayloadTooLarge(CutoutError):
    """The body has more bytes than a request may carry.

    Facts ``max_bytes``, and ``instead``, a sentence that says what to do.
    """

    status = 413
    code = "payload_too_large"
    text = "The body is larger than {max_bytes} bytes. {instead}"
    accepted = "at most {max_bytes} bytes"


class ObjectTooLarge(CutoutError):
    """An S3 object has more bytes than the deployment reads: fact ``max_bytes``."""

    status = 413
    code = "payload_too_large"
    text = "The object is larger than {max_bytes} bytes."
    accepted = "at most {max_bytes} bytes"


class ImageTooLarge(CutoutError):
    """The image has more pixels than the deployment takes.

    Facts ``width``, ``height``, ``max_pixels``, in px.
    """

    status = 413
    code = "image_too_large"
    text = "The image is {width}x{height} px; at most {max_pixels} pixels are accepted."
    accepted = "at most {max_pixels} pixels"


class ImageSideTooLong(ImageTooLarge):
    """A side is longer than any photograph's: facts ``width``, ``height``, ``max_side`` in px."""

    text = "The image is {width}x{height} px; each side must be at most {max_side} px."
    accepted = "sides of at most {max_side} px"


class ResultTooLarge(CutoutError):
    """The result is too large for a reply: facts ``size``, ``max_bytes``, and ``help_with``.

    ``help_with`` names what makes the file smaller, or takes it another way.
    """

    status = 413
    code = "result_too_large"
    text = "The result is {size} bytes, and a reply can carry {max_bytes}. Use {help_with} instead."
    accepted = "{help_with}"


class UnsupportedMediaType(CutoutError):
    """No parser takes the body's Content-Type."""

    status = 415
    code = "unsupported_media_type"
    text = (
        "Content-Type must be multipart/form-data, application/json, "
        "application/x-www-form-urlencoded, image/* or application/octet-stream."
    )
    accepted = (
        "multipart/form-data, application/json, application/x-www-form-urlencoded, image/*, "
        "application/octet-stream"
    )


class UnsupportedContentEncoding(UnsupportedMediaType):
    """The body is compressed."""

    text = "The body must not be compressed: send it without Content-Encoding."
    accepted = "a body without Content-Encoding"


class UnsupportedUploadRequest(UnsupportedMediaType):
    """A request for an upload brings the image itself."""

    text = (
        "POST /v2/uploads takes no image: send it an empty body or JSON, and the image to the URL"
        " in the answer, with its fields."
    )
    accepted = "an empty body, or application/json with content_type"


class UnsupportedUploadType(UnsupportedMediaType):
    """A request for an upload has a body of a type that no parser takes."""

    text = (
        "POST /v2/uploads takes an empty body, or the field content_type with the Content-Type "
        "application/json, application/x-www-form-urlencoded or multipart/form-data."
    )
    accepted = UnsupportedUploadRequest.accepted


class UnsupportedImageFormat(CutoutError):
    """The image has a format that the service does not read: fact ``found``."""

    status = 415
    code = "unsupported_image_format"
    text = f"The image is {{found}}, which is not supported. Accepted: {_FORMATS}."
    accepted = _FORMATS


class HeicNotDeployed(UnsupportedImageFormat):
    """The image is HEIC, and the deployment was built without the layer that reads it."""

    accepted = ", ".join(name for name in FORMATS_IN if name != "heic")
    text = f"The image is HEIC, which this deployment does not support. Accepted: {accepted}."


class UnknownForeground(CutoutError):
    """No subject was found, and the request has ``on_empty=error``."""

    status = 422
    code = "unknown_foreground"
    text = "No subject was found in the image. Use on_empty=image for an empty canvas instead."
    accepted = "an image with a clear subject, or on_empty=image"


class InvalidSettings(CutoutError):
    """The deployment's variables are wrong; fact ``problems`` names each. Seen only at start."""

    text = "Invalid settings: {problems}"


class StorageFailed(CutoutError):
    """S3 refused, failed or did not answer: facts ``call`` and ``reason`` are for the log only."""


class UnknownEvent(CutoutError):
    """The kind of an event, or of a message in it, is unknown: fact ``reason``."""

    text = "The event cannot be read: {reason}"


class UploadsFailed(CutoutError):
    """Some objects of an S3 event failed, and the platform must send all again: fact ``failed``."""

    text = "{failed} of the event's objects failed; the log says why."


class KeysUnavailable(CutoutError):
    """The list of API keys cannot be read; fact ``reason`` is for the log only."""

    status = 503


class OutOfMemory(CutoutError):
    """The work on the image needs more memory than there is.

    It is our fault: with more memory, which only the owner can give, the same image works.
    """

    status = 503
    accepted = "a smaller image or a smaller size"
    text = f"The image needs more memory than this deployment has. Use {accepted}."


class ModelUnavailable(CutoutError):
    """The model is missing, did not load or does not run: fact ``reason`` is for the log only."""

    status = 503
    code = "model_unavailable"
    text = (
        "This deployment's model cannot be used. Whoever runs it finds the reason in the "
        "function's log."
    )


class OutOfTime(CutoutError):
    """The image took too long: fact ``before``, the stage that was not begun."""

    status = 504
    code = "timeout"
    accepted = "a smaller image, a smaller size, or format=jpg"
    text = f"The image took too long. Use {accepted}."
