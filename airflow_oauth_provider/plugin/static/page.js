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

  // Returns what tells a date, or null where times are right as the server wrote them.
  const teller = () => {
    if (zone() === "UTC") return null;
    let format;
    try {
      format = parts(zone());
    } catch {
      return null;
    }
    return (date) => {
      const of = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
      return `${of.year}-${of.month}-${of.day} ${of.hour}:${of.minute}:${of.second} ${of.timeZoneName}`;
    };
  };

  const localize = () => {
    const tell = teller();
    if (!tell) return;
    for (const element of document.querySelectorAll("time[datetime]"))
      element.textContent = tell(new Date(element.dateTime));
  };

  const localized = (text) => {
    const tell = teller();
    if (!tell) return text;
    const moment = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g;
    return text.replace(moment, (_, day, time) => tell(new Date(`${day}T${time}Z`)));
  };

  // Messages

  const SILENT = "Airflow did not answer. Check that its API server is running, and try again.";
  const FOREIGN =
    "What came back is not from this page: a proxy before Airflow may be in trouble, or you are signed out. " +
    "Try again, or reload the page.";

  const toast = (text, kind) => {
    const box = document.createElement("div");
    box.className = `toast ${kind}`;
    const message = document.createElement("p");
    message.textContent = localized(text);
    const close = document.createElement("button");
    close.type = "button";
    close.className = "close";
    close.setAttribute("aria-label", "Close message");
    close.textContent = "×";
    close.addEventListener("click", () => box.remove());
    box.append(message, close);
    const all = document.getElementById("toasts");
    for (const each of [...all.children]) if (each.textContent === box.textContent) each.remove();
    all.append(box);
    while (all.childElementCount > TOASTS) all.firstElementChild.remove();
    setTimeout(() => box.remove(), TOAST_STAYS[kind]);
  };

  // Content

  let loading = null;

  // Where the keyboard goes on when what it was on has gone.
  const INSTEAD = { next: "previous", previous: "next", clear: "search" };

  const refocus = (id) => {
    const place = [id, INSTEAD[id], "headline"].map((each) => each && document.getElementById(each));
    place.find(Boolean)?.focus();
  };

  const show = async (address) => {
    loading?.abort();
    const mine = (loading = new AbortController());
    busy(true);
    try {
      const response = await fetch(address, { headers: { Accept: "text/html" }, signal: mine.signal });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const fresh = page.getElementById("results");
      if (!fresh) return toast(FOREIGN, "error");
      const focused = results().contains(document.activeElement) ? document.activeElement.id : null;
      results().replaceWith(fresh);
      mark();
      if (response.ok) history.replaceState(null, "", address);
      localize();
      if (focused !== null) refocus(focused);
    } catch (error) {
      if (error.name === "AbortError") return;
      toast(SILENT, "error");
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

  // Addresses that have not answered yet: the list may be drawn anew meanwhile, with buttons of its own.
  const pending = new Set();

  const mark = () => {
    for (const button of document.querySelectorAll("button[data-action]")) {
      const working = pending.has(button.dataset.action);
      if (working === button.classList.contains("working")) continue;
      button.classList.toggle("working", working);
      if (working) button.dataset.label = button.getAttribute("aria-label");
      button.setAttribute("aria-label", working ? button.dataset.working : button.dataset.label);
      if (working) button.setAttribute("aria-disabled", "true");
      else if (button.dataset.reason === undefined) button.removeAttribute("aria-disabled");
    }
  };

  const act = async (action) => {
    pending.add(action);
    mark();
    try {
      const response = await fetch(action, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: "{}",
      });
      const outcome = await response.json().catch(() => null);
      // A connection's own page shows the refusal and what to do: no need to say it twice.
      const text = document.getElementById("of-refusal") ? outcome?.short : outcome?.message;
      if (typeof text === "string") toast(text, outcome.ok ? "success" : "error");
      else toast(FOREIGN, "error");
    } catch {
      toast(SILENT, "error");
    }
    pending.delete(action);
    mark();
    await show(location.href);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action]");
    if (button) {
      if (button.getAttribute("aria-disabled") !== "true") act(button.dataset.action);
      else if (!button.classList.contains("working")) toast(button.dataset.reason, "error");
      return;
    }
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.dataset.swap !== undefined) {
      event.preventDefault();
      if (link.dataset.swap === "clear") {
        // Not reset(): that brings back what the page was opened with.
        clearTimeout(typing);
        for (const field of filters.elements) if (field.name) field.value = "";
      }
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
