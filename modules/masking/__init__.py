"""Masks made by models: backgrounds removed, things found by words, faces; and what is done to a mask afterwards."""
