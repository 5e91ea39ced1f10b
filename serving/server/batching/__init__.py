"""Requests that wait are run together, as TF Serving's `--enable_batching` does."""
