"""How a run fits a card: a ladder of ways to hold the model, from the one that changes nothing to the smallest."""
