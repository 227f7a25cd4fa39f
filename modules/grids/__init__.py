"""Grids: the same pictures of several models or settings, side by side. No torch: the window plans with it, too."""
