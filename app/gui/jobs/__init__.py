"""The queue as the window sees it. No widgets."""
