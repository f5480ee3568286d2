"""``python -m bnfhmc``."""

from bnfhmc.cli import main

if __name__ == "__main__":
    main()
