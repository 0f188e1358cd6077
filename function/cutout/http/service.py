"""What the service tells of itself: the account, its health, and its pages."""

import time
from collections.abc import Callable, Sequence

from cutout import __version__
from cutout.errors import DuplicateOption, ModelUnavailable
from cutout.formats import FORMATS_IN
from cutout.http.body import Field
from cutout.http.large_images import Transfer
from cutout.http.pages import PAGES, read_page
from cutout.http.reply import Reply, json_reply
from cutout.http.request import MAX_REQUEST_BYTES, Request
from cutout.keys import digest_of
from cutout.options import FORMATS_OUT
from cutout.options.option import switch
from cutout.remover import Remover
from cutout.settings import Settings

_DEEP_HEALTH_SECONDS = 10
"""How long the outcome of a deep health check is answered from memory: the route needs no key, so
nobody may make the network run as often as they like."""

_DEEP = switch("deep", "Runs the network.")


class Service:
    """One deployment, as it describes itself."""

    def __init__(
        self,
        *,
        remover: Remover,
        settings: Settings,
        transfer: Transfer | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Describe these parts; ``clock`` tells seconds, from any beginning."""
        self._remover = remover
        self._settings = settings
        self._transfer = transfer
        self._clock = clock
        self._deep_health: tuple[float, str | None] | None = None  # when, and the fault found

    def show_account(self, request: Request) -> Reply:
        """Return whose key this is, and the deployment's limits."""
        return json_reply(
            {
                "status": "ok",
                "api_key": {
                    "valid": True,
                    "mode": "live",
                    "fingerprint": digest_of(request.headers.get("x-api-key", ""))[:8],
                },
                # What BackgroundErase answers, as Zapier and others show it.
                "account": {
                    "plan": "self-hosted",
                    "email": self._settings.account_label,
                    "subscription_status": "active",
                    "billing_model": "self-hosted",
                    "usage_unit": "image",
                },
                "limits": {
                    "max_pixels": self._settings.max_pixels,
                    "max_request_bytes": MAX_REQUEST_BYTES,
                    "max_upload_bytes": self._settings.max_object_bytes if self._transfer else 0,
                    "formats_in": FORMATS_IN,
                    "formats_out": FORMATS_OUT,
                    "models": self._settings.model_names,
                },
            }
        )

    def show_health(self, request: Request) -> Reply:
        """Return that the service answers; a deep check runs the network.

        :raises DuplicateOption: ``deep`` is given twice.
        :raises InvalidOption: ``deep`` is neither true nor false.
        :raises ModelUnavailable: a deep check found that it does not run.
        """
        if _is_deep(request.query):
            self._check_deeply()
        return json_reply({"status": "ok", "version": __version__, "model": self._remover.model})

    def show_page(self, path: str, request: Request) -> Reply:
        """Return the page at this path."""
        page = read_page(PAGES[path])
        return page.reply_to(request, self._transfer.origins() if self._transfer else ())

    def _check_deeply(self) -> None:
        """Run the network, unless it has run for this within :data:`_DEEP_HEALTH_SECONDS`.

        :raises ModelUnavailable: it did not load or does not run, or did not when it last ran.
        """
        now = self._clock()
        if self._deep_health is None or now - self._deep_health[0] >= _DEEP_HEALTH_SECONDS:
            fault = None
            try:
                self._remover.check()
            except ModelUnavailable as error:
                fault = str(error.facts.get("reason", ""))
            self._deep_health = now, fault
        _, fault = self._deep_health
        if fault is not None:
            raise ModelUnavailable(reason=fault)


def _is_deep(query: Sequence[Field]) -> bool:
    """Tell whether the query asks for a deep health check.

    :raises DuplicateOption: ``deep`` is given twice.
    :raises InvalidOption: ``deep`` is neither true nor false.
    """
    given = [value for name, value in query if name.lower() == _DEEP.name]
    if len(given) > 1:
        raise DuplicateOption(option=_DEEP.name)
    return given not in ([], [""]) and bool(_DEEP.value(given[0]))
