"""What images are worth by numbers: likeness to prompts and to the concept's images, copies, taste. All optional."""
