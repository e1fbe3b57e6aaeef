"""`python -m inference serve`: the command of the inference image."""

import argparse
import sys

from inference.server import serve


def main() -> int:
    parser = argparse.ArgumentParser(prog="inference", description=__doc__)
    parser.add_argument("command", choices=["serve"], help="what SageMaker asks of an inference image")
    parser.parse_args()
    return serve()


if __name__ == "__main__":
    sys.exit(main())
