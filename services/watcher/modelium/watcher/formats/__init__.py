"""What a complete candidate is: one module per format, each from files to a descriptor.

Nothing of a model is run, imported or unpickled here, and weights are never read.
"""
