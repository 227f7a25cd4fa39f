"""Where weights lie, and in which form: so that a model fits a card."""
