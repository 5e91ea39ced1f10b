"""A configuration measured in folds: every row is tested once, by a model that has not seen it."""
