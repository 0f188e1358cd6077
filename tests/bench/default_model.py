"""The model that is measured: the function's own default one."""

import app
from cutout.image.model import Model


def loaded() -> Model:
    """Return it.

    :raises ModelUnavailable: it did not load.
    """
    model = app.load_model(app.settings, app.default_model)
    if not isinstance(model, Model):
        raise model
    return model
