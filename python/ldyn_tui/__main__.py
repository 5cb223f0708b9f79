"""`python -m ldyn_tui import FILE --out runs/NAME`: a training that nobody watched, as a run."""

from __future__ import annotations

import argparse
import pathlib
import sys

from . import imported


def main(arguments: list[str] | None = None) -> int:
    """Does what the arguments ask for; returns the exit status: 2 for a file that is not what it should be."""
    parser = argparse.ArgumentParser(prog="python -m ldyn_tui", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    imports = commands.add_parser("import", help="write what a trainer has kept as a run that ldyn-tui shows")
    imports.add_argument(
        "file",
        help="a trainer_state.json, an event file of TensorBoard, a run-*.wandb, Trackio's .db, the JSON lines of verl's "
        "file logger or of prime-rl's token_exports, or a folder of one of these",
    )
    imports.add_argument(
        "--run", help="which one is meant where there are several: Trackio's name of it, or its folder"
    )
    imports.add_argument("--out", required=True, help="the run's directory")
    args = parser.parse_args(arguments)
    try:
        directory = imported.write(imported.read(args.file, args.run), pathlib.Path(args.file).name, args.out)
    except (ValueError, OSError) as error:
        print(f"ldyn_tui: {error}", file=sys.stderr)
        return 2
    print(f"{directory}: written; ldyn-tui replay {directory} shows it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
