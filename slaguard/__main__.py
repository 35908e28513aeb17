"""Run the command line as a module: ``python -m slaguard``."""

from slaguard.cli import main

if __name__ == "__main__":
    main()
