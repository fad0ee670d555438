"""Replays traces of requests through policies of placement; no I/O but in `files.py`, no clock.

`trace.py` what is asked for when · `files.py` reads and writes it · `recording.py` makes one of
what gateways say · `parts.py`, `node.py` devices and engines and what happens on them ·
`simulate.py` runs one trace through one policy · `deciding.py` Modelium's own `decide` as a policy
· `scored.py` what others do · `contenders.py` all policies by name · `table.py`, `page.py`,
`chart.py` what is shown of it.
"""
