"""Values that are tried: the dialog in which they are chosen, and the table of what came of them."""
