"""Background removal: a photo goes in, the cutout comes out.

Start reading at :mod:`cutout.remover`, whose ``remove`` is the pipeline; :mod:`cutout.api` is the
HTTP edge around it and :mod:`cutout.options` the table of everything that a caller can ask for.
"""
