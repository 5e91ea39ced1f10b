"""A search for the best values of the configuration: trials, what they showed, the best of them."""
