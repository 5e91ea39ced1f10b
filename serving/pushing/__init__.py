"""Versions on disk: pushed, labelled, rolled back, each with its manifest."""
