"""`python -m longwatch.node.server --config FILE`."""

from longwatch.node.server.process import main

if __name__ == "__main__":
    raise SystemExit(main())
