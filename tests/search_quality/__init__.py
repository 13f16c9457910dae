"""How well the search finds what a person means: `python -m tests.search_quality CORPUS`."""
