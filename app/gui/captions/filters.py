"""What other pages open Captions with: the names of its filters, and nothing that the page itself needs."""

MISSING, WRONG = "missing", "wrong"  # without a caption; cannot be read, or only by a guess
