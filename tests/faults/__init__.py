"""What can go wrong, done on purpose: processes are killed, files are torn, guards are taken away.

* `python -m tests.faults.kills --kills 300 --seed 1` kills training at random moments and at chosen system calls, and
  continues it until it ends with the weights of a run that nobody disturbed. `test_kills.py` does a few of them.
* `test_power.py` tears what a power cut may tear, and looks whether it is noticed.
* `test_manual_table.py` holds every row of resources/manual/what-can-go-wrong.md to a test that exists.
* `python -m tests.faults.broken` takes each guard out of a copy of the program and looks whether its test fails. It
  takes minutes and is no part of `pytest`: run it after a guard, or the test of one, was changed.
"""
