"""The engines' side: where a request goes, the connections there, the answers that come back."""
