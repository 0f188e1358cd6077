"""Background removal: a photo goes in, the cutout comes out.

Start reading at :mod:`cutout.remover`, whose ``remove`` is the pipeline. Its stages are the wing
:mod:`cutout.image`. Three doors lead to it: :mod:`cutout.http` for API Gateway's events,
:mod:`cutout.s3` for objects in buckets, and :mod:`cutout.cli` for the command line. What all of
them share lies beside them: errors, options, settings and the access to S3.
"""

__version__ = "0.5.0"
"""The release, as ``python -m cutout --version`` prints it; CHANGELOG.md says what it holds."""
