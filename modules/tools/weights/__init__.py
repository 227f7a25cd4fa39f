"""Tools that make or compare files of weights."""
