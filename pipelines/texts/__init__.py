"""Texts through frozen encoders: each text once, whatever the rows, features and runs it is in."""
