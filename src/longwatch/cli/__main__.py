"""`python -m longwatch.cli`: the same as `longwatch`."""

from longwatch.cli import main

if __name__ == "__main__":
    main()
