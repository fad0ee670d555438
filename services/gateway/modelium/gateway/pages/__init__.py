"""The cold routes, by FastAPI: lists, pages, administration, documents."""
