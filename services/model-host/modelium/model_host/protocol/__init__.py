"""The Open Inference Protocol, version 2: tensors, signatures and their forms on the wire."""
