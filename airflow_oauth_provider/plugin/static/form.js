// The form of New and Edit: rows, files, presets, and saving. What is wrong is decided by the server and said
// at its field; nothing that was entered is ever lost. Texts of servers are only ever set as text.
"use strict";
{
  const MAX_FILE = 65536; // bytes
  const KEPT_MESSAGE = "oauth2-servers-message";

  const form = document.getElementById("form");
  const fields = () => [...form.querySelectorAll(".field")];
  const files = new Map(); // field → contents in Base64

  // Values

  const valueOf = (field) => {
    const input = field.querySelector(`#in-${field.dataset.key}`);
    switch (field.dataset.control) {
      case "rows":
        return [...field.querySelectorAll(".rows > .row")]
          .map((row) => [row.querySelector(".of-name").value, row.querySelector(".of-value").value])
          .filter(([name, value]) => name.trim() || value.trim());
      case "box":
        return input.checked ? "true" : "false";
      default:
        return input.value;
    }
  };

  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const begun = new Map(fields().map((field) => [field.dataset.key, valueOf(field)]));

  // Of a new connection all that is entered, of an edited one what was changed: others may have changed the rest.
  const entered = () => {
    const given = {};
    for (const field of fields()) {
      const key = field.dataset.key, value = valueOf(field);
      if (document.getElementById(`remove-${key}`)?.checked && !value.length) given[key] = null;
      else if (!form.dataset.name ? value.length : !same(value, begun.get(key))) given[key] = value;
    }
    return given;
  };
  const changed = () => files.size > 0 || fields().some((field) => !same(valueOf(field), begun.get(field.dataset.key)));

  // Rows

  form.addEventListener("click", (event) => {
    const add = event.target.closest("button.add"), remove = event.target.closest("button.remove");
    if (add) {
      const row = add.parentElement.querySelector("template").content.cloneNode(true);
      add.before(row);
      add.previousElementSibling.querySelector("input").focus();
    } else if (remove) {
      const row = remove.closest(".row");
      const next = row.nextElementSibling?.querySelector(".remove") ?? row.parentElement.querySelector(".add");
      row.remove();
      next.focus();
    }
  });

  // What is wrong

  const say = (key, text) => {
    const field = document.getElementById(`field-${key}`);
    if (!field) return false;
    field.querySelector(".problem").textContent = text;
    field.classList.toggle("wrong", text !== "");
    const input = field.querySelector(`#in-${key}`);
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    if (text) field.closest("details").open = true;
    return true;
  };

  const problem = document.getElementById("problem");
  const sayAbove = (text, address) => {
    problem.textContent = text;
    problem.hidden = text === "";
    if (address) {
      const link = document.createElement("a");
      link.href = address;
      link.target = "_blank";
      link.rel = "noopener";
      link.textContent = "What is stored now";
      problem.append(" ", link);
    }
    if (text) problem.scrollIntoView({ block: "nearest" });
  };

  const clear = () => {
    sayAbove("");
    for (const field of fields()) say(field.dataset.key, "");
  };

  form.addEventListener("input", (event) => {
    const field = event.target.closest(".field");
    if (field) say(field.dataset.key, "");
  });

  // Files

  form.addEventListener("change", async (event) => {
    if (event.target.type !== "file") return;
    const key = event.target.id.replace("file-", "");
    const file = event.target.files[0];
    files.delete(key);
    if (!file) return;
    if (file.size > MAX_FILE) {
      event.target.value = "";
      say(key, `The file has ${Math.round(file.size / 1024)} KiB: a key file has at most 24 KiB.`);
      return;
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    files.set(key, btoa(String.fromCharCode(...bytes)));
  });

  // The method says where the credential is entered.

  const needs = JSON.parse(form.dataset.needs);
  const lead = () => {
    const needed = needs[document.getElementById("in-auth_method").value];
    const secret = document.getElementById("field-password");
    secret.classList.toggle("unused", needed !== undefined && needed !== "password");
    if (needed && needed !== "password") document.getElementById(`field-${needed}`).closest("details").open = true;
  };
  form.addEventListener("change", (event) => event.target.id === "in-auth_method" && lead());
  lead();

  // Presets: what was not entered by hand is taken over.

  const presets = document.getElementById("presets");
  const fillIn = async () => {
    const address = `${presets.action}?${new URLSearchParams(new FormData(presets))}`;
    const response = await fetch(address, { headers: { Accept: "text/html" } }).catch(() => null);
    const page = response?.ok && new DOMParser().parseFromString(await response.text(), "text/html");
    const fresh = page && page.getElementById("form");
    if (!fresh) return sayAbove("Airflow did not answer. Try again.");
    const untouched = fields().filter((field) => same(valueOf(field), begun.get(field.dataset.key)));
    for (const field of untouched) {
      const key = field.dataset.key, other = page.getElementById(`field-${key}`);
      if (!other) continue;
      field.replaceWith(other);
      begun.set(key, valueOf(other));
    }
    document.dispatchEvent(new CustomEvent("oauth2:say", { detail: page.querySelector("#presets .muted")?.textContent }));
    for (const [index, section] of [...fresh.querySelectorAll("details")].entries())
      if (section.open) form.querySelectorAll("details")[index].open = true;
    form.dataset.preset = fresh.dataset.preset;
    const focused = document.activeElement?.id;
    presets.replaceChildren(...page.getElementById("presets").childNodes);
    document.getElementById(document.getElementById("preset-tenant")?.value === "" ? "preset-tenant" : focused)?.focus();
    clear();
    lead();
  };
  presets?.addEventListener("submit", (event) => (event.preventDefault(), fillIn()));
  presets?.addEventListener("change", (event) => event.target.id === "preset" && fillIn());

  // Saving

  let saving = false;

  const save = async () => {
    const name = document.getElementById("in-conn_id")?.value.trim() ?? form.dataset.name;
    const body = {
      fields: entered(), files: Object.fromEntries(files), digest: form.dataset.digest,
      preset: form.dataset.preset, tenant: document.getElementById("preset-tenant")?.value ?? "",
    };
    const response = await fetch(form.dataset.save, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
    });
    const outcome = await response.json().catch(() => null);
    if (typeof outcome?.message !== "string")
      return sayAbove("What came back is not from this page: you may be signed out. Nothing you entered is lost.");
    if (outcome.saved) {
      saving = true; // there is nothing left to lose
      sessionStorage.setItem(KEPT_MESSAGE, JSON.stringify({ text: outcome.message, ok: outcome.ok }));
      location.assign(form.dataset.after + encodeURIComponent(name));
      return;
    }
    if (outcome.digest) {
      form.dataset.digest = outcome.digest;
      document.getElementById("save").textContent = "Save my changes on top";
    }
    const { tenant: ofTenant, ...others } = outcome.wrong ?? {};
    for (const [key, text] of Object.entries(others)) say(key, text);
    const presetTenant = document.getElementById("preset-tenant");
    if (ofTenant && presetTenant) document.getElementById("tenant-problem").textContent = ofTenant;
    else if (ofTenant) say("tenant", ofTenant);
    const tenant = outcome.field === "tenant" && presetTenant;
    if (tenant) document.getElementById("tenant-problem").textContent = outcome.text;
    else if (!outcome.field || !say(outcome.field, outcome.text))
      return sayAbove(outcome.message, outcome.digest && form.dataset.after + encodeURIComponent(name));
    const input = tenant || document.getElementById(`in-${outcome.field}`);
    input.scrollIntoView({ block: "center" });
    input.focus();
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = document.getElementById("save");
    if (button.classList.contains("working")) return;
    clear();
    button.classList.add("working");
    button.setAttribute("aria-disabled", "true");
    try {
      await save();
    } catch {
      sayAbove("Airflow did not answer. Nothing you entered is lost: try again.");
    }
    button.classList.remove("working");
    button.removeAttribute("aria-disabled");
  });

  addEventListener("beforeunload", (event) => {
    if (!saving && changed()) event.preventDefault();
  });
}
