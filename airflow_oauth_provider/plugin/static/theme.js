// Runs before the page is drawn: takes colours and fonts over from the Airflow page around this one, and
// follows it when it changes. Opened on its own, the page follows the system.
"use strict";
{
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");

  // Ours to Airflow's: the second is where the first gets its value from, in whatever theme Airflow has.
  const borrowed = {
    "--bg": "--chakra-colors-bg",
    "--bg-row": "--chakra-colors-bg-muted",
    "--fg": "--chakra-colors-fg",
    "--fg-muted": "--chakra-colors-fg-muted",
    "--panel": "--chakra-colors-bg-panel",
    "--border": "--chakra-colors-border",
    "--border-strong": "--chakra-colors-border-emphasized",
    "--brand": "--chakra-colors-brand-solid",
    "--brand-text": "--chakra-colors-brand-contrast",
    "--link": "--chakra-colors-brand-fg",
    "--anchor": "--chakra-colors-fg-info",
    "--font": "--chakra-fonts-body",
    "--font-mono": "--chakra-fonts-mono",
  };

  const airflow = () => {
    try {
      return parent === window ? null : parent.document.documentElement;
    } catch {
      return null; // framed by a page of another origin, which the policy forbids anyway
    }
  };

  const apply = () => {
    const outer = airflow();
    const dark = outer ? outer.classList.contains("dark") : system.matches;
    root.classList.toggle("dark", dark);
    const values = outer ? parent.getComputedStyle(outer) : null;
    for (const [ours, theirs] of Object.entries(borrowed)) {
      const value = values?.getPropertyValue(theirs).trim();
      if (value) root.style.setProperty(ours, value);
      else root.style.removeProperty(ours);
    }
  };

  apply();
  const outer = airflow();
  if (outer) new MutationObserver(apply).observe(outer, { attributes: true, attributeFilter: ["class"] });
  system.addEventListener("change", apply);
}
