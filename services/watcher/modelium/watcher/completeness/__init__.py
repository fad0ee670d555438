"""Whether all bytes of a model's files are there: by their own headers, in a few small reads.

What the model is, and whether it is harmless, is the analysis' business: nothing is run here, no
weights are read but their ends, and nothing large is parsed.
"""
