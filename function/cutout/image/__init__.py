"""Bytes → cutout → bytes: the pipeline's stages. No AWS, no environment, no log, no clock."""
