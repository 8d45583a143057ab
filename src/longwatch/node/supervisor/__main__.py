"""`python -m longwatch.node.supervisor --config FILE`."""

from longwatch.node.supervisor.process import main

if __name__ == "__main__":
    raise SystemExit(main())
