"""SVG elements from Python values; whatever text comes in is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from markupsafe import escape, Markup

Child = Markup | str


def element(name: str, *children: Child, **attributes: object) -> Markup:
    """
    Make an element.

    :param children: elements, or text, which is escaped.
    :param attributes: an underscore becomes a hyphen, one at the end is dropped (``class_``);
        floats are rounded to tenths; None leaves the attribute out.
    """
    written = ''.join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items() if value is not None
    )
    inner = Markup('').join(children)
    return Markup(f'<{name}{written}>{inner}</{name}>') if inner else Markup(f'<{name}{written}/>')


def _plain(value: object) -> object:
    return f'{value:.1f}'.removesuffix('.0') if isinstance(value, float) else value


def join(parts: Iterable[Markup]) -> Markup:
    """Put elements side by side."""
    return Markup('').join(parts)


def percent(share: float, digits: int = 1) -> str:
    """Write a share of 1; number and sign stay on one line."""
    return f'{100 * share:.{digits}f}\u00a0%'


def signed(value: float) -> str:
    """Write a difference to tenths, with its sign."""
    return f'{value:+.1f}'.replace('-', '−')


def title(text: str) -> Markup:
    """Make the text that is shown on hovering over the parent."""
    return element('title', text)


def path(points: Sequence[tuple[float, float]]) -> str:
    """Write the ``d`` of a path through points."""
    return 'M' + 'L'.join(f'{_plain(float(x))} {_plain(float(y))}' for x, y in points)


def chart(width: float, height: float, label: str, *children: Child) -> Markup:
    """
    Make a picture that grows with the page.

    :param label: what is to be seen, for those who cannot see it.
    """
    return element(
        'svg', *children, viewBox=f'0 0 {width:g} {height:g}', role='img', aria_label=label,
        class_='chart', xmlns='http://www.w3.org/2000/svg',
    )
