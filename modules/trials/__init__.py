"""Runs that differ in one or two settings alone: which they are, what is wrong with a value, what they will take.

No torch, no screen: the window and the command line put them into the queue.
"""
