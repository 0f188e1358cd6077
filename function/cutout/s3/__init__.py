"""The S3 door: events about objects in, results beside them out."""
