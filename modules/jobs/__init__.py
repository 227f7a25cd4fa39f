"""The queue: runs and tools that wait in line, in one file that every window, host and command line shares.

It is a list and nothing more: `modules.host` does what stands in it. Every change is one transaction, so that any kill
or power cut leaves the list before or after it: resources/decisions/0034. No torch in it.
"""
