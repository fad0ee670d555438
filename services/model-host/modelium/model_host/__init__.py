"""The model host: serves one model that is no large language model over HTTP."""
