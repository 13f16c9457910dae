"""What feedproxy costs, measured against what is beneath it: `python -m tests.bench`."""
