// Where the keyboard goes on, and what is read aloud. The other scripts ask for both by events.
"use strict";
{
  const SILENCE = 50; // milliseconds: the same words once more are read aloud as well

  // oauth2:refocus, with an id: the keyboard goes there, or to what stands for it when it has gone.
  const INSTEAD = { next: "previous", previous: "next", clear: "search" };

  document.addEventListener("oauth2:refocus", ({ detail: id }) => {
    const places = [id, INSTEAD[id], "headline"].map((place) => place && document.getElementById(place));
    places.find(Boolean)?.focus();
  });

  // oauth2:say, with a text: what has changed on the page, for who does not see it.
  document.addEventListener("oauth2:say", ({ detail: text }) => {
    const spoken = document.getElementById("spoken");
    spoken.textContent = "";
    setTimeout(() => (spoken.textContent = text), SILENCE);
  });

  // oauth2:listed: filters, order or page have changed.
  document.addEventListener("oauth2:listed", () => {
    const texts = [...document.querySelectorAll("#headline, .pages span")].map((element) => element.textContent);
    document.dispatchEvent(new CustomEvent("oauth2:say", { detail: texts.join(", ") }));
  });

  // Messages: Escape closes the one that the keyboard is on, which goes back to where it came from.

  const toasts = document.getElementById("toasts");
  let before = null;

  toasts.addEventListener("focusin", ({ relatedTarget }) => {
    if (relatedTarget?.id && !relatedTarget.closest("#toasts, dialog")) before = relatedTarget.id;
  });
  toasts.addEventListener("oauth2:close", ({ target }) => {
    const box = target.closest(".toast");
    const keyboard = box.querySelector(":focus-visible");
    box.remove();
    if (keyboard) document.dispatchEvent(new CustomEvent("oauth2:refocus", { detail: before }));
  });
  toasts.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.target.dispatchEvent(new Event("oauth2:close", { bubbles: true }));
  });

  // What says why a button is greyed: Escape hides it until pointer or keyboard have been elsewhere.

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const why of document.querySelectorAll(".why:is(:hover, :focus-within)")) why.classList.add("dismissed");
  });
  for (const type of ["focusin", "pointerover"])
    document.addEventListener(type, ({ target }) => {
      for (const why of document.querySelectorAll(".why.dismissed"))
        if (!why.contains(target)) why.classList.remove("dismissed");
    });
}
