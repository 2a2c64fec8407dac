"""Runs axe-core, vendored beside the tests, on a page."""

from pathlib import Path

VENDOR = Path(__file__).parent / "vendor"
AXE = VENDOR / "axe-core" / "axe.min.js"
SERIOUS = {"serious", "critical"}
# Without copies of the style sheets, which no rule needs that is run: axe would add those of an `@import`, as Django's
# forms have one, inline, and the Content-Security-Policy would refuse and report them.
RUN = "async () => (await axe.run(document, {resultTypes: ['violations'], preload: false})).violations"


def findings(page):
    """Return the serious and critical violations on the current page, one line each."""
    # Evaluated through the browser's protocol, which the Content-Security-Policy does not block.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    violations = page.evaluate(RUN)
    return [
        f"{page.url}: {violation['id']}: {violation['nodes'][0]['html'][:200]}"
        for violation in violations
        if violation["impact"] in SERIOUS
    ]
