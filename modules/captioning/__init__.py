"""Captions made by models: taggers, and vision language models that write sentences."""
