"""Trains a language model for the brain: `python -m modelium.local_llm.training`.

`options.py` what is wanted · `data.py` examples as tokens · `scratch.py` a tiny model that knows
nothing · `tuning.py` which of a model's weights are trained · `steps.py` the training itself, from
where it was interrupted · `judging.py` how it does on examples that it never saw.
"""
