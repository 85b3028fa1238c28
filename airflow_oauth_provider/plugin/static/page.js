// Filters without leaving the page, and the two things a person can do to a connection. Everything shown
// comes from the server as HTML; texts of servers are only ever set as text.
"use strict";
{
  const WAIT_FOR_TYPING = 250; // milliseconds
  const TOAST_STAYS = { success: 12000, error: 40000 };
  const TOASTS = 3;

  const results = () => document.getElementById("results");
  const busy = (on) => {
    document.body.classList.toggle("busy", on);
    results().setAttribute("aria-busy", on);
  };

  // Times, in the zone that is chosen in Airflow

  const zone = () => {
    const stored = localStorage.getItem("timezone");
    return stored ? stored.replaceAll('"', "") : "UTC";
  };

  const parts = (timeZone) =>
    new Intl.DateTimeFormat("en-CA", {
      timeZone, year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
    });

  const localize = () => {
    if (zone() === "UTC") return; // as the server wrote them
    let format;
    try {
      format = parts(zone());
    } catch {
      return;
    }
    for (const element of document.querySelectorAll("time[datetime]")) {
      const of = Object.fromEntries(
        format.formatToParts(new Date(element.dateTime)).map(({ type, value }) => [type, value]),
      );
      element.textContent =
        `${of.year}-${of.month}-${of.day} ${of.hour}:${of.minute}:${of.second} ${of.timeZoneName}`;
    }
  };

  // Messages

  const toast = (text, kind) => {
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    const message = document.createElement("p");
    message.textContent = text;
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.setAttribute("aria-label", "Close message");
    close.textContent = "×";
    close.addEventListener("click", () => box.remove());
    box.append(message, close);
    const all = document.getElementById("toasts");
    all.append(box);
    while (all.childElementCount > TOASTS) all.firstElementChild.remove();
    setTimeout(() => box.remove(), TOAST_STAYS[kind]);
  };

  // Content

  let loading = null;

  const show = async (address) => {
    loading?.abort();
    const mine = (loading = new AbortController());
    busy(true);
    try {
      const answer = await fetch(address, { headers: { Accept: "text/html" }, signal: mine.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const focused = document.activeElement?.id;
      const fresh = page.getElementById("results");
      results().replaceWith(fresh);
      if (answer.ok) history.replaceState(null, "", address);
      localize();
      if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus();
    } catch (error) {
      if (error.name === "AbortError") return;
      toast("Airflow did not answer. Check that its API server is running, and try again.", "error");
    } finally {
      if (loading === mine) busy(false);
    }
  };

  // Filters

  const filters = document.getElementById("filters");
  let typing = 0;

  const filtered = () => {
    const address = new URL(location.href);
    const sort = address.searchParams.get("sort");
    address.search = "";
    for (const [name, value] of new FormData(filters)) if (value) address.searchParams.set(name, value);
    if (sort) address.searchParams.set("sort", sort);
    return address.href;
  };

  filters?.addEventListener("input", (event) => {
    clearTimeout(typing);
    typing = setTimeout(() => show(filtered()), event.target.type === "search" ? WAIT_FOR_TYPING : 0);
  });
  filters?.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typing);
    show(filtered());
  });

  // Actions

  const act = async (button) => {
    const label = button.getAttribute("aria-label");
    button.setAttribute("aria-disabled", "true");
    button.setAttribute("aria-label", button.dataset.working);
    button.classList.add("working");
    try {
      const answer = await fetch(button.dataset.action, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: "{}",
      });
      const outcome = await answer.json();
      toast(outcome.message, outcome.ok ? "success" : "error");
    } catch {
      toast("Airflow did not answer. Check that its API server is running, and try again.", "error");
    }
    button.setAttribute("aria-label", label);
    button.classList.remove("working");
    button.removeAttribute("aria-disabled");
    await show(location.href);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action]");
    if (button) {
      if (button.getAttribute("aria-disabled") !== "true") act(button);
      else if (!button.classList.contains("working")) toast(button.dataset.reason, "error");
      return;
    }
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.dataset.swap !== undefined) {
      event.preventDefault();
      if (link.dataset.swap === "clear") filters?.reset();
      show(link.href);
    } else if (link.target === "_top" && parent !== window) {
      // Airflow's frame may not navigate the page around it; that page itself may.
      event.preventDefault();
      const outside = parent.document.createElement("a");
      outside.href = link.href;
      outside.click();
    }
  });

  localize();
}
