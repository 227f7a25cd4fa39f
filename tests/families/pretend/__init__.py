"""A family that does not exist: a DiT with four text encoders. It shows what the next family has to write."""
