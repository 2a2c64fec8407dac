"""What axe-core, vendored beside the tests, finds on a page."""

from pathlib import Path

VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}


def findings(page):
    """Return the serious and critical violations of the page as it stands, one line each."""
    # Evaluated by the browser's own protocol, which the pages' Content-Security-Policy does not forbid.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate("async () => (await axe.run(document, {resultTypes: ['violations']})).violations")
    return [
        f"{page.url}: {one['id']}: {one['nodes'][0]['html'][:200]}" for one in violations if one["impact"] in SERIOUS
    ]
