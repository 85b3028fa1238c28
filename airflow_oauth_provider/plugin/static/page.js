// Filters without leaving the page, and the two things a person can do to a connection. Everything shown
// comes from the server as HTML; texts of servers are only ever set as text.
"use strict";
{
  const WAIT_FOR_TYPING = 250; // milliseconds
  const TOAST_STAYS = { success: 12000, error: 40000 };
  const TOAST_LINGERS = 3000; // at least, once pointer or keyboard have left it
  const TOASTS = 3;

  const results = () => document.getElementById("results");
  const busy = (on) => {
    document.body.classList.toggle("busy", on);
    results().setAttribute("aria-busy", on);
  };

  // Times, in the zone that is chosen in Airflow, else in that of the browser as in Airflow's own pages

  const REFRESH = 30000; // milliseconds

  const inZone = (timeZone) =>
    new Intl.DateTimeFormat("en-CA", {
      timeZone, year: "numeric", month: "2-digit", day: "2-digit",
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
    });

  const format = (() => {
    const stored = localStorage.getItem("timezone")?.replaceAll('"', "");
    try {
      return inZone(stored || undefined);
    } catch {
      return inZone("UTC"); // a zone that this browser does not know
    }
  })();

  const tell = (date) => {
    const of = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
    const text = `${of.year}-${of.month}-${of.day} ${of.hour}:${of.minute}:${of.second}`;
    return { text, withZone: `${text} ${of.timeZoneName}` };
  };

  // As the server's own.
  const relative = (date) => {
    const seconds = Math.abs(date - Date.now()) / 1000;
    const over = date <= Date.now();
    if (seconds < 45) return over ? "just now" : "in a moment";
    const text =
      seconds >= 172800 ? `${Math.round(seconds / 86400)} days`
      : seconds >= 7200 ? `${Math.round(seconds / 3600)} h`
      : `${Math.max(1, Math.round(seconds / 60))} min`;
    return over ? `${text} ago` : `in ${text}`;
  };

  const localize = () => {
    const zone = format.resolvedOptions().timeZone;
    for (const element of document.querySelectorAll("time[datetime]")) {
      const date = new Date(element.dateTime);
      const { text, withZone } = tell(date);
      element.textContent = element.dataset.relative === undefined ? text : relative(date);
      element.title = `${withZone} (${zone})`;
    }
  };

  const localized = (text) => {
    const moment = /(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d) UTC/g;
    return text.replace(moment, (_, day, time) => tell(new Date(`${day}T${time}Z`)).withZone);
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
    close.addEventListener("click", () => close.dispatchEvent(new Event("oauth2:close", { bubbles: true })));
    box.append(message, close);
    const all = document.getElementById("toasts");
    for (const each of [...all.children]) if (each.textContent === box.textContent) each.remove();
    all.append(box);
    while (all.childElementCount > TOASTS) all.firstElementChild.remove();
    const leave = () => {
      const used = box.matches(":hover, :focus-within") || document.querySelector("dialog[open]");
      return used ? setTimeout(leave, TOAST_LINGERS) : box.remove();
    };
    setTimeout(leave, TOAST_STAYS[kind]);
    return box;
  };

  // Content

  let loading = null;

  const refocus = (id) => document.dispatchEvent(new CustomEvent("oauth2:refocus", { detail: id }));

  // What a person has entered or opened stays as it is.
  const carry = (before, after) => {
    for (const old of before.querySelectorAll("input[id], details[id]")) {
      const same = after.querySelector(`#${CSS.escape(old.id)}`);
      if (same) Object.assign(same, old.matches("details") ? { open: old.open } : { value: old.value });
    }
  };

  // The list's filters stand in Airflow's own address too, so that it can be reloaded, kept and sent.
  const outside = () => {
    try {
      return parent === window ? null : parent;
    } catch {
      return null; // framed by another origin, which the policy forbids anyway
    }
  };

  const remember = (address) => {
    history.replaceState(null, "", address);
    const outer = filters && outside();
    if (outer) outer.history.replaceState(outer.history.state, "", `${outer.location.pathname}${location.search}`);
  };

  // Counts of a long list come after it.
  const count = async () => {
    const chips = document.querySelector("#chips[data-source]");
    if (!chips) return;
    try {
      const response = await fetch(chips.dataset.source, { headers: { Accept: "text/html" } });
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("chips");
      if (response.ok && fresh && chips.isConnected) chips.replaceWith(fresh);
    } catch {
      // The list is there without them.
    }
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
      carry(results(), fresh);
      results().replaceWith(fresh);
      mark();
      if (filters && address !== location.href) document.dispatchEvent(new Event("oauth2:listed"));
      if (response.ok) remember(address);
      localize();
      count();
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
    address.search = "";
    for (const [name, value] of new FormData(filters)) if (value) address.searchParams.set(name, value);
    return address.href;
  };

  document.addEventListener("input", (event) => {
    if (!filters || event.target.form !== filters) return; // the order of cards stands outside of it
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
    let box = null;
    document.querySelector("[popover]")?.hidePopover?.(); // the keyboard goes back to what opened it
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
      if (typeof text === "string") {
        box = toast(text, outcome.ok ? "success" : "error");
        document.dispatchEvent(new CustomEvent("oauth2:message", { detail: { box, outcome } }));
      } else toast(FOREIGN, "error");
    } catch {
      toast(SILENT, "error");
    }
    pending.delete(action);
    mark();
    await show(location.href);
    document.dispatchEvent(new CustomEvent("oauth2:done", { detail: { box } }));
  };

  document.addEventListener("oauth2:times", () => {
    for (const element of document.querySelectorAll("[data-localize]")) {
      element.textContent = localized(element.textContent);
      delete element.dataset.localize;
    }
    localize();
  });
  document.addEventListener("oauth2:refresh", () => show(location.href));

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-action], button[data-reason]");
    if (button) {
      if (button.getAttribute("aria-disabled") !== "true") act(button.dataset.action);
      else if (!button.classList.contains("working")) toast(button.dataset.reason, "error");
      return;
    }
    const link = event.target.closest("a");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.dataset.swap !== undefined) {
      event.preventDefault();
      if (link.dataset.swap === "status") {
        const pressed = link.getAttribute("aria-current") !== "true";
        document.getElementById("status").value = pressed ? link.dataset.filter : "";
      }
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

  // What is folded stays folded, until there is something else to say.
  const warnings = document.getElementById("warnings");
  if (warnings) {
    const key = "oauth2-servers-read", text = warnings.textContent;
    // Where there is little room, its heading is all that is seen at first.
    warnings.open = localStorage.getItem(key) !== text && !matchMedia("(max-width: 760px)").matches;
    warnings.querySelector("summary").addEventListener("click", () => {
      if (warnings.open) localStorage.setItem(key, text);
      else localStorage.removeItem(key);
    });
  }

  // What the form has to say after it was saved.
  const kept = JSON.parse(sessionStorage.getItem("oauth2-servers-message") ?? "null");
  sessionStorage.removeItem("oauth2-servers-message");
  if (kept) toast(kept.text, kept.ok ? "success" : "error");

  localize();
  count();
  setInterval(localize, REFRESH);
  const asked = filters && !location.search && outside()?.location.search;
  if (asked) {
    for (const [name, value] of new URLSearchParams(asked)) {
      const field = filters.elements[name];
      if (field) field.value = value;
    }
    show(location.pathname + asked);
  } else if (filters && location.search) remember(location.href);
}
