"""Directories that appear whole or not at all, and who may write to them."""
