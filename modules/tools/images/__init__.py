"""Tools that caption, mask, mend and make images of a training set."""
