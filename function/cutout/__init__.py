"""Background removal: a photo goes in, the cutout comes out.

Start reading at :mod:`cutout.remover`, whose ``remove`` is the pipeline. Its stages are the wing
:mod:`cutout.image`. Three doors lead to it: :mod:`cutout.http` for API Gateway's events,
:mod:`cutout.s3` for objects in buckets, and :mod:`cutout.cli` for the command line. What all of
them share lies beside them: errors, options, settings and the access to S3.
"""

import os

# numpy's linear algebra (OpenBLAS) would start a thread for each core it sees, and they wait by
# spinning. The matrices here are small, so the others find nothing to do, and they take the
# processor from the network. Lambda shows two cores to a function that may use less than one:
# on two busy cores a photo of 1 MP took 720 ms of CPU time with two threads, and 163 with one.
# numpy reads this when it is imported, which only modules of this package do.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# As soon as it is imported, onnxruntime would write an identifier of the machine into the user's
# home, and report what it does to its maker.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.18.0"
"""The release, as ``python -m cutout --version`` prints it; CHANGELOG.md says what it holds."""
