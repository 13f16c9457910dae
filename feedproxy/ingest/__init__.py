"""Listings, from the source to the archive: fetched on a schedule, parsed, stored."""
