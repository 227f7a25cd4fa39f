"""What there is to train on: one row an image, in columns. Everything after it is a pure function of it.

The columns live in an Arrow table, so that ten million images can be memory-mapped instead of held.
"""
