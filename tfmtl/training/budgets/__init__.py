"""A training's budget, divided among tasks and scenarios as it goes."""
