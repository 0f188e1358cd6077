"""The HTTP door: API Gateway's events in, replies out."""
