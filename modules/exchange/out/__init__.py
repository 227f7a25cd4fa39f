"""Our settings in the words of other programs: the way back of `modules.exchange`.

Each exporter writes what the importer of that program reads; what does not come back equal is named to the user.
"""
