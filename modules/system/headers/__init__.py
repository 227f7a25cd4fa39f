"""What files of tensors say of themselves at their beginning, read without torch."""
