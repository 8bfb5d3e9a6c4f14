"""`python -m srpo`."""

from srpo.cli import main

main()
