"""The client's side: requests as they come in, answers and errors as they go out."""
