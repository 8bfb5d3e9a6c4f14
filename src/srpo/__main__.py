"""`python -m srpo`."""

from srpo.cli import main

if __name__ == "__main__":  # a process that this one starts reads the file as well
    main()
