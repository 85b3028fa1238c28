"""How well texts and fields of a page can be seen: contrast by WCAG 2.2, measured in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator

LEAST = 4.5
"""What WCAG 2.2 wants of texts (1.4.3, AA); of what cannot be used it wants nothing."""
LEAST_OF_EDGES = 3.0
"""What it wants of that by which a field is seen (1.4.11, AA)."""
_FAINT = """(html, [least, edges]) => {
    const context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const channels = (colour) => {
        context.clearRect(0, 0, 1, 1);
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
        return { parts: [red, green, blue], alpha: alpha / 255 };
    };
    const over = (upper, parts) =>
        parts.map((below, at) => upper.parts[at] * upper.alpha + below * (1 - upper.alpha));
    const luminance = (parts) => {
        const [red, green, blue] = parts.map((part) =>
            part / 255 <= 0.04045 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const around = (element) => {
        const all = [];
        for (let at = element; at; at = at.parentElement) all.push(getComputedStyle(at));
        return all;
    };
    const ratio = (element, colour) => {
        const styles = around(element);
        const ground = styles.reverse().reduce(
            (parts, style) => over(channels(style.backgroundColor), parts), [255, 255, 255]);
        const ink = channels(colour);
        ink.alpha *= styles.reduce((opacity, style) => opacity * Number(style.opacity), 1);
        const [dark, light] = [luminance(over(ink, ground)), luminance(ground)].sort((a, b) => a - b);
        return (light + 0.05) / (dark + 0.05);
    };
    const seen = (element) => element.checkVisibility({ visibilityProperty: true })
        && !element.closest(".hidden, [aria-disabled='true'], .working, :disabled, .unused");
    if (edges) {
        const fields = document.querySelectorAll("input:not([type=checkbox], [type=file]), textarea, select");
        return [...fields].filter(seen)
            .map(field => [field.id, ratio(field.parentElement, getComputedStyle(field).borderTopColor)])
            .filter(([_, reached]) => reached < least).map(([id, reached]) => `${id}: ${reached.toFixed(2)}`);
    }
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = [];
    const measure = (element, colour, text) => {
        const reached = seen(element) ? ratio(element, colour) : least;
        if (reached < least) faint.push(`${text.trim().slice(0, 40)}: ${reached.toFixed(2)}`);
    };
    while (texts.nextNode())
        if (texts.currentNode.data.trim()) {
            const element = texts.currentNode.parentElement;
            measure(element, getComputedStyle(element).color, texts.currentNode.data);
        }
    for (const field of document.querySelectorAll("input:not([type=checkbox]), textarea, select")) {
        const part = field.value || !field.placeholder ? null : "::placeholder";
        measure(field, getComputedStyle(field, part).color, field.value || field.placeholder || "empty");
    }
    return faint;
}"""


def faint_texts(frame: FrameLocator) -> list[str]:
    """Return the texts whose contrast with what is behind them is less than :data:`LEAST`, with the ratio."""
    faint: list[str] = frame.locator("html").evaluate(_FAINT, [LEAST, False])
    return faint


def faint_edges(frame: FrameLocator) -> list[str]:
    """Return the fields whose edge can hardly be seen, with the ratio."""
    faint: list[str] = frame.locator("html").evaluate(_FAINT, [LEAST_OF_EDGES, True])
    return faint
