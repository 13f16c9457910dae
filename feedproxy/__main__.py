"""`python -m feedproxy` is `feedproxy`."""

from feedproxy.cli import main

main()
