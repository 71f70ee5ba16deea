"""`python -m fadm` is `fadm`, for launchers that start modules."""

from fadm.cli import main

if __name__ == "__main__":
    main()
