// What comes of an action beside its message: the steps of Authorize, Try, and Check all. HTML comes from the
// server, which escapes what others wrote; everything else is only ever set as text.
"use strict";
{
  const AT_ONCE = 4;
  const PATIENCE = 2000; // milliseconds before one is asked for again while the server is busy
  const JSON_HEADERS = { "Content-Type": "application/json", Accept: "application/json" };

  const parsed = (html) => new DOMParser().parseFromString(html, "text/html");
  const post = async (address, body, signal) => {
    const response = await fetch(address, {
      method: "POST", headers: JSON_HEADERS, body: JSON.stringify(body), signal,
    });
    return { status: response.status, outcome: await response.json().catch(() => null) };
  };

  // Step by step: on the page of a connection a card, in the list behind a button of the message

  document.addEventListener("oauth2:message", ({ detail: { box, outcome } }) => {
    const section = outcome?.html && parsed(outcome.html).getElementById("outcome");
    if (!section) return;
    if (document.getElementById("of-refusal")) {
      box.outcome = section;
      return;
    }
    const more = document.createElement("button");
    more.type = "button";
    more.className = "more";
    more.textContent = "Step by step";
    more.addEventListener("click", () => {
      const dialog = document.createElement("dialog");
      dialog.className = "outcome";
      dialog.setAttribute("aria-labelledby", "of-outcome");
      dialog.append(section);
      dialog.addEventListener("close", () => dialog.remove());
      document.body.append(dialog);
      dialog.showModal();
      document.dispatchEvent(new Event("oauth2:times"));
    });
    box.querySelector("p").after(more);
  });

  // After the page has been drawn anew.
  document.addEventListener("oauth2:done", ({ detail: { box } }) => {
    if (!box?.outcome) return;
    document.getElementById("outcome")?.remove();
    document.querySelector(".cards")?.prepend(box.outcome);
    document.dispatchEvent(new Event("oauth2:times"));
  });

  document.addEventListener("click", (event) => {
    const close = event.target.closest("[data-close]");
    if (!close) return;
    const dialog = close.closest("dialog");
    if (dialog) dialog.close();
    else {
      close.closest("#outcome").remove();
      document.getElementById("headline").focus();
    }
  });

  // Try

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-try]");
    if (!form) return;
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    button.classList.add("working");
    const place = document.createElement("div");
    place.id = "trial";
    try {
      const { outcome } = await post(form.dataset.try, { path: form.elements.path.value });
      const trial = outcome?.html && parsed(outcome.html).getElementById("trial");
      if (trial) place.append(...trial.childNodes);
      else place.textContent = outcome?.message ?? "What came back is not from this page. Try again, or reload it.";
    } catch {
      place.textContent = "Airflow did not answer. Check that its API server is running, and try again.";
    }
    const shown = document.getElementById("trial");
    shown?.replaceChildren(...place.childNodes);
    button.classList.remove("working");
    button.removeAttribute("aria-disabled");
  });

  // Check all: four at a time; each row is filled in as its outcome arrives

  let run = null;

  const panel = () => {
    const box = document.createElement("section");
    box.className = "progress";
    box.setAttribute("aria-label", "Check all");
    const [text, stop, bar, failures] = ["p", "button", "progress", "ul"].map((tag) => document.createElement(tag));
    text.setAttribute("role", "status");
    stop.type = "button";
    stop.textContent = "Stop";
    bar.setAttribute("aria-label", "Checked");
    box.append(text, stop, bar, failures);
    document.getElementById("results").before(box);
    return { box, text, stop, bar, failures };
  };

  const rowOf = (name) => document.querySelector(`tr[data-name="${CSS.escape(name)}"]`);

  const fill = (name, html) => {
    const row = rowOf(name);
    const fresh = html && [...parsed(html).querySelectorAll("tr[data-name]")].find((each) => each.dataset.name === name);
    if (!row || !fresh) return row?.classList.remove("checking");
    const focused = row.contains(document.activeElement) ? document.activeElement.id : null;
    row.replaceWith(fresh);
    if (focused) document.getElementById(focused)?.focus();
    document.dispatchEvent(new Event("oauth2:times"));
  };

  const checked = async (address, signal) => {
    for (;;) {
      const { status, outcome } = await post(address, {}, signal);
      if (status !== 503) return { status, outcome };
      await new Promise((done) => setTimeout(done, PATIENCE));
      if (signal.aborted) throw new DOMException("stopped", "AbortError");
    }
  };

  class Run {
    constructor(button) {
      this.check = button.dataset.check;
      this.names = button.dataset.names;
      this.stopped = new AbortController();
      this.done = 0;
      this.failed = 0;
      document.querySelectorAll("section.progress").forEach((old) => old.remove());
      this.panel = panel();
      this.panel.stop.addEventListener("click", () => this.end());
      this.say("Finding the connections …");
    }

    say(text) {
      this.panel.text.textContent = text;
    }

    async all() {
      try {
        const response = await fetch(this.names, { headers: { Accept: "application/json" }, signal: this.stopped.signal });
        const { names } = await response.json();
        this.left = [...names];
        this.total = names.length;
        this.panel.bar.max = Math.max(1, this.total);
        this.count();
        await Promise.all(Array.from({ length: AT_ONCE }, () => this.some()));
      } catch (error) {
        if (error.name !== "AbortError") {
          this.stopped.abort();
          this.say("Airflow did not answer. Check that its API server is running, and try again.");
          this.over();
          return;
        }
      }
      this.finish();
    }

    async some() {
      for (let name; (name = this.left.shift()) !== undefined && !this.stopped.signal.aborted; ) {
        rowOf(name)?.classList.add("checking");
        try {
          const { status, outcome } = await checked(this.check + encodeURIComponent(name), this.stopped.signal);
          if (status === 401) return this.give(outcome?.message);
          this.done += 1;
          if (!outcome?.ok) this.fail(outcome?.short ?? outcome?.message ?? `${name}: no answer of this page`);
          fill(name, outcome?.html);
        } finally {
          rowOf(name)?.classList.remove("checking");
        }
        this.count();
      }
    }

    // Nobody is signed in any more: the others would fail as well.
    give(text) {
      this.reason = text;
      this.stopped.abort();
    }

    fail(text) {
      this.failed += 1;
      const item = document.createElement("li");
      item.textContent = text;
      this.panel.failures.append(item);
    }

    count() {
      this.panel.bar.value = this.done;
      this.say(`${this.done} of ${this.total} checked, ${this.failed} failed.`);
    }

    end() {
      this.stopped.abort();
    }

    finish() {
      const short = this.total === undefined || this.done < this.total;
      this.say(
        this.total === 0 ? "There is nothing to check here that you may edit."
        : `${short ? `Stopped: ${this.reason ? `${this.reason} ` : ""}` : ""}${this.done} of ${this.total ?? "?"} checked, ${this.failed} failed.`,
      );
      this.over();
      if (this.done) document.dispatchEvent(new Event("oauth2:refresh")); // for the counts of all
    }

    over() {
      run = null;
      const { stop, box } = this.panel;
      const close = stop.cloneNode(true); // without what Stop does
      close.textContent = "Close";
      close.addEventListener("click", () => {
        box.remove();
        (document.getElementById("check-all") ?? document.getElementById("headline")).focus();
      });
      const focused = document.activeElement === stop;
      stop.replaceWith(close);
      if (focused) close.focus();
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("#check-all");
    if (!button || run || button.getAttribute("aria-disabled") === "true") return;
    run = new Run(button);
    run.all();
  });
}
