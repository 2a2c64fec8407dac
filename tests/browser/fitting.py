"""Finds what does not fit a window or its paper on an open page."""

from tests.conftest import and_in_full

WINDOWS = and_in_full([320, 390, 768, 1440], 360, 1024)
# The width of A4 without margins, portrait and landscape, in CSS pixels.
PAPERS = [688, 1017]

# Opens everything that can be opened, then returns what does not fit the window.
FAULTS = """() => {
    // Names in the side bar, and in the bar of filters on phones, end in dots; what is for screen readers alone has no
    // room.
    const CUT_ON_PURPOSE = ".visually-hidden, .sidebar .number-link, .filters .menu > summary, .skip-link," +
        " .matrix .word, .matrix thead .strip, svg, select, input, textarea," +
        " .selector button, .selector-filter";
    for (const one of document.querySelectorAll("main details:not(.menu)")) one.open = true;
    const root = document.documentElement, faults = [];
    const paper = matchMedia("print").matches;
    if (root.scrollWidth > root.clientWidth) {
        const wide = [...document.body.querySelectorAll("*")].filter((one) =>
            one.getBoundingClientRect().right > root.clientWidth + 0.5 && one.checkVisibility() &&
            !one.closest(".visually-hidden, svg, .table-responsive, form .chips"));
        faults.push(`${root.scrollWidth - root.clientWidth} px wider: ${wide.slice(0, 3).map((one) =>
            one.outerHTML.slice(0, 90)).join(" | ")}`);
    }
    for (const tile of document.querySelectorAll(".figure-tile")) {
        const out = [...tile.querySelectorAll(":scope :not(.tip, .tip *)")].filter((one) =>
            one.getBoundingClientRect().right > tile.getBoundingClientRect().right && !one.closest(CUT_ON_PURPOSE));
        if (out.length) faults.push(`out of its tile: ${out[0].outerHTML.slice(0, 90)}`);
    }
    for (const box of document.body.querySelectorAll("*")) {
        if (box.scrollWidth <= box.clientWidth) continue; // asked first: a style takes much longer to find out
        const overflow = getComputedStyle(box).overflowX;
        if (overflow === "visible") continue;
        if (overflow === "hidden" || overflow === "clip") {
            if (!box.closest(CUT_ON_PURPOSE)) faults.push(`cut off: ${box.outerHTML.slice(0, 90)}`);
            continue;
        }
        if (paper && box.matches("select, textarea, input")) continue; // a form on paper shows what fits its fields
        if (paper) faults.push(`cut off on paper: ${box.outerHTML.slice(0, 90)}`);
        else if (box.tabIndex < 0 && !box.querySelector("a, button, input, select")) {
            faults.push(`scrolls, but no key reaches it: ${box.outerHTML.slice(0, 90)}`);
        }
    }
    return faults;
}"""


def faults(page, address, windows=WINDOWS, papers=PAPERS):
    """Return the faults of the open page at each window width and paper size."""
    all_faults = []
    for media, widths in (("screen", windows), ("print", papers)):
        page.emulate_media(media=media)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            all_faults += [f"{address} at {width} px, {media}: {fault}" for fault in page.evaluate(FAULTS)]
    page.emulate_media(media="screen")
    return all_faults
