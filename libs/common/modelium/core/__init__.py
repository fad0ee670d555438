"""The functional core: pure decisions about memory, placement and eviction; no I/O, no clock."""
