"""The way in, for `regtui` and for `python -m regtui`."""

import sys

from regtui.import_path import without_current_folder


def main() -> None:
    """Run the command line, with an import path that the current folder is not on; what is imported comes later."""
    sys.path[:] = without_current_folder(sys.path)
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # outside a run there is nothing to keep and nothing to say
    from regtui.cli.main import main as command_line

    command_line()


if __name__ == "__main__":
    main()
