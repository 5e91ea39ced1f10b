"""A caller's values as the arrays a signature takes, checked before anything is sent."""

from serving.inputs.batch import Batch, make_batch, prepare

__all__ = ["Batch", "make_batch", "prepare"]
