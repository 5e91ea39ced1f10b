"""How many requests a model server answers a second, and how fast."""

from serving.loadtest.plan import Load, Plan
from serving.loadtest.requests import encoded
from serving.loadtest.running import run

__all__ = ["Load", "Plan", "encoded", "run"]
