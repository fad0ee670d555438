"""What keeps a model's files from doing anything but being read.

`gate.py` looks at the files before any format's parser does, and `sandbox.py` runs all of the
analysis in a process that can do nothing else. Neither relies on the other.
"""
