"""Messages for the user: on standard output, or into the log where interactive logging is off."""

import logging
import sys

_is_interactive = True


def enable_interactive_logging():
    """Progress and messages go to standard output, as by default."""
    global _is_interactive
    _is_interactive = True


def disable_interactive_logging():
    """Progress and messages go to the logger "dlcore" at level INFO; `verbose="auto"` then means a line per epoch."""
    global _is_interactive
    _is_interactive = False


def is_interactive_logging_enabled():
    """Whether progress and messages go to standard output."""
    return _is_interactive


def print_message(message, end="\n"):
    """Shows a message to the user."""
    if not _is_interactive:
        if message.strip():
            logging.getLogger("dlcore").info(message.strip())
    elif sys.stdout is not None:
        sys.stdout.write(message + end)
        sys.stdout.flush()
