"""The command line: files and folders of photos in, cutouts out.

``arguments`` reads what was typed, ``photos`` finds the photos that it names, ``plan`` pairs each
with its result, and ``run`` does the work and reports it; ``results`` writes the files, ``streams``
guards the standard streams, and ``interrupts`` ends the process at a signal. The Lambda function
imports none of it.
"""
