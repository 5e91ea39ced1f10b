"""The sections of the preprocessing benchmark."""
