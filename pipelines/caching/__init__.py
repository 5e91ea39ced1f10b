"""When a step is skipped: what decides its result, whether that changed, and how to say so."""
