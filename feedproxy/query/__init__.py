"""Queries: parameters, the filter language, words, named feeds. Reads no archive."""
