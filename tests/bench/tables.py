"""Prints tables as Markdown, as the documents show them."""

from collections.abc import Sequence


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table under its title, where it has one."""
    if title:
        print(f"\n{title}")
    print()
    for cells in (head, ["---"] * len(head), *rows):
        print("| " + " | ".join(cells) + " |")
