"""The page "Queue"."""
