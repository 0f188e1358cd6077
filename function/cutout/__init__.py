"""Background removal: a photo goes in, the cutout comes out.

Start reading at :mod:`cutout.remover`, whose ``remove`` is the pipeline. Its stages are the wing
:mod:`cutout.image`. Two doors lead to it: :mod:`cutout.http` for API Gateway's events, and
:mod:`cutout.s3` for objects in buckets. What all of them share lies beside them: errors, options,
settings and the access to S3.
"""
