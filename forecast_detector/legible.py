"""Text from elsewhere, made fit for a line of a log: nothing hidden in it, and not long."""

from __future__ import annotations

# Of a name in a message, and of a whole message.
NAME_LETTERS, LINE_LETTERS = 80, 800


def legible(text: object, most: int = NAME_LETTERS) -> str:
    """
    Write text on one line: what cannot be printed is escaped, and what is long is cut.

    Line breaks, escape codes of terminals and marks that turn the direction of writing are such.

    :param most: letters that are shown.
    """
    whole = str(text)
    shown = whole if len(whole) <= most else whole[:most]
    if not shown.isprintable():
        shown = ''.join(
            letter if letter.isprintable() else letter.encode('unicode_escape').decode()
            for letter in shown
        )[:6 * most]
    return shown if len(whole) <= most else f'{shown}... ({len(whole)} letters)'


def line(text: object) -> str:
    """Write a message on one line, such as an error that quotes text from elsewhere."""
    return legible(' '.join(str(text).split()), LINE_LETTERS)
