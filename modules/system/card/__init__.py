"""What is a graphics card's alone: the memory that it copies from, the watts that it takes."""
