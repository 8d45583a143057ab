"""What axe-core finds wrong with a page as it stands (WCAG 2.2 AA and its best practices)."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

AXE = Path(__file__).parents[2] / "console/node_modules/axe-core/axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


COLOURS = ["color-contrast", "link-in-text-block"]


def violations(page: Page, *, of_colours: bool = False) -> list[str]:
    """Each broken rule with the places; an empty list where all is well. The page's policy forbids inline scripts: this one
    comes by the debugger's way, which no policy meets. of_colours: those rules alone, of a page whose others held in another look.
    """
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate(
        "([type, values]) => axe.run(document, {runOnly: {type, values}, resultTypes: ['violations']})",
        ["rule", COLOURS] if of_colours else ["tag", RULES],
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: "
        + "; ".join(f"{node['target']} {(node.get('failureSummary') or '')[:200]}" for node in one["nodes"][:4])
        for one in found["violations"]
    ]
