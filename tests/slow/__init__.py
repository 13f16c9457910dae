"""Tests that take longer; CONTRIBUTING.md says how to run them."""
