"""What a tool is given, opened: models, LoRAs, sides of a comparison."""
