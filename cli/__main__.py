"""`python -m cli` is `ovim`."""

from cli.main import main

main()
