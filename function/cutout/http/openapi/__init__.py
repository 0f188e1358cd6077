"""The OpenAPI document of a deployment.

``document`` puts it together from the routes' rows (``operations``), the schemas of what they take
(``requests``), answer (``replies``) and refuse (``refusals``).
"""
