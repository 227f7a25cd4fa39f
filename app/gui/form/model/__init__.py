"""What the page Model says of the files that are chosen: what they are, and what usually goes with them."""
