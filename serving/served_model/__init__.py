"""The functions of a SavedModel's signatures, and what they share."""
