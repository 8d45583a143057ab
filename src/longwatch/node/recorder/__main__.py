"""`python -m longwatch.node.recorder --config FILE`."""

from longwatch.node.recorder.process import main

if __name__ == "__main__":
    raise SystemExit(main())
