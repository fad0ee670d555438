"""A language model in a process of its own, under an interpreter that has torch.

Nothing else of Modelium is there. The process reads questions and writes answers, a line of JSON
each; `modelium.common.local_llm` starts it and asks.
"""
