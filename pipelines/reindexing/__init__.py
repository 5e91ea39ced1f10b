"""A new catalogue for a model that stays as it is."""
