// Shows what the REST interface answers, and sends what its user asks for. Texts from devices go into
// the page as text, never as markup.
"use strict";

const API = "/api/v1";
const REFRESH = 2000;
const view = document.getElementById("view");
const trouble = document.getElementById("trouble");
let timer = 0;
let shown = 0;

const token = () => sessionStorage.getItem("token");

async function ask(path, method = "GET", body = undefined, key = undefined) {
  const headers = { Authorization: `Bearer ${token()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key !== undefined) headers["Idempotency-Key"] = key;
  const answer = await fetch(API + path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const read = (answer.headers.get("Content-Type") || "").includes("json") ? await answer.json() : {};
  if (!answer.ok) {
    if (answer.status === 401) sessionStorage.removeItem("token");
    const error = new Error(read.detail || `the eIM answered ${answer.status}`);
    error.status = answer.status;
    throw error;
  }
  return read;
}

function say(error) {
  trouble.hidden = !error;
  trouble.textContent = error ? error.message : "";
}

/** Runs what may fail; a lost sign-in leads to its form. */
async function attempt(work) {
  try {
    await work();
    say(null);
    return true;
  } catch (error) {
    say(error);
    if (error.status === 401) route();
    return false;
  }
}

function stamp(template) {
  view.replaceChildren(document.getElementById(template).content.cloneNode(true));
}

function cell(row, text, kind = "") {
  const td = row.insertCell();
  td.className = kind;
  if (text instanceof Node) td.append(text);
  else td.textContent = text ?? "";
  return td;
}

function state(name) {
  const span = document.createElement("span");
  span.className = `state ${name}`;
  span.textContent = name;
  return span;
}

function button(text, work, kind = "") {
  const made = document.createElement("button");
  made.type = "button";
  made.className = kind;
  made.textContent = text;
  made.addEventListener("click", async () => {
    made.disabled = true;
    if (await attempt(work)) await refresh();
    made.disabled = false;
  });
  return made;
}

const when = (text) => (text ? new Date(text).toLocaleString() : "");

function fill(body, rows, draw) {
  const made = rows.map((one) => {
    const row = document.createElement("tr");
    draw(row, one);
    return row;
  });
  body.replaceChildren(...made);
}

function queue(eid, operations) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const key = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return ask(`/devices/${eid}/packages`, "POST", { operations }, key);
}

function link(eid) {
  const a = document.createElement("a");
  a.href = `#/device/${eid}`;
  a.textContent = eid;
  return a;
}

async function counts() {
  const summary = await ask("/summary");
  const waiting = (summary.packages.queued || 0) + (summary.packages.sent || 0);
  document.getElementById("counts").textContent =
    `${summary.devices} devices, ${summary.polls} polls, ${waiting} waiting, ` +
    `${summary.packages.done || 0} done, ${summary.packages.failed || 0} failed`;
}

let after = "";

async function fleet() {
  const page = await ask(`/devices?limit=50&after=${encodeURIComponent(after)}`);
  fill(view.querySelector("tbody"), page.devices, (row, one) => {
    cell(row, link(one.eid), "id");
    cell(row, one.enabled, "id");
    cell(row, one.waiting, "n");
    cell(row, one.polls, "n");
    cell(row, when(one.seen_at));
    cell(row, one.certified ? "verified" : "not known yet");
  });
  view.querySelector(".none").hidden = page.devices.length > 0 || after !== "";
  const more = view.querySelector(".more");
  more.hidden = !page.next;
  more.onclick = () => { after = page.next; refresh(); };
}

function profileButtons(eid, profile) {
  const box = document.createElement("span");
  box.className = "row";
  const one = (operation) => () => queue(eid, [{ operation, iccid: profile.iccid }]);
  if (profile.state === "enabled") {
    box.append(button("Disable", one("disable")));
  } else {
    box.append(button("Enable", one("enable")));
    box.append(button("Delete", async () => {
      if (confirm(`Delete profile ${profile.iccid}? It can't be brought back.`)) await one("delete")();
    }, "danger"));
  }
  return box;
}

async function device(eid) {
  const [row, inventory, queued, history] = await Promise.all([
    ask(`/devices/${eid}`), ask(`/devices/${eid}/profiles`),
    ask(`/devices/${eid}/packages`), ask(`/devices/${eid}/history`),
  ]);
  view.querySelector(".eid").textContent = eid;
  view.querySelector(".facts").textContent =
    `${row.polls} polls, last ${when(row.seen_at) || "never"}; counter ${row.counter}; ` +
    (row.certified ? "certificate verified" : "certificate not known yet");
  view.querySelector(".incomplete").hidden = inventory.complete;
  fill(view.querySelector(".profiles tbody"), inventory.profiles, (tr, one) => {
    cell(tr, one.iccid, "id");
    cell(tr, state(one.state));
    cell(tr, one.name || one.nickname);
    cell(tr, one.provider);
    cell(tr, profileButtons(eid, one));
  });
  fill(view.querySelector(".packages tbody"), queued.packages.slice().reverse(), (tr, one) => {
    tr.dataset.id = one.id;
    cell(tr, one.id, "n");
    cell(tr, one.text);
    cell(tr, state(one.state));
    cell(tr, one.note);
    cell(tr, when(one.queued_at));
    cell(tr, when(one.ended_at));
    cell(tr, one.state === "queued" ? button("Cancel", () => ask(`/packages/${one.id}`, "DELETE")) : "");
  });
  fill(view.querySelector(".notifications tbody"), history.notifications.slice().reverse(), (tr, one) => {
    cell(tr, one.seq_number, "n");
    cell(tr, one.operation);
    cell(tr, one.iccid, "id");
    cell(tr, one.address);
    cell(tr, one.verified ? "verified" : "not verified");
    cell(tr, `${one.state}: ${one.reason}`);
  });
}

function signIn() {
  stamp("sign-in");
  document.getElementById("counts").textContent = "";
  view.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    sessionStorage.setItem("token", new FormData(event.target).get("token").trim());
    route();
  });
}

let draw = async () => {};

/** Asks again and draws, unless another view came in the meantime. */
async function refresh() {
  clearTimeout(timer);
  const now = shown;
  await attempt(async () => {
    await draw();
    await counts();
  });
  if (now === shown && token()) timer = setTimeout(refresh, REFRESH);
}

function route() {
  clearTimeout(timer);
  shown += 1;
  document.getElementById("forget").hidden = !token();
  if (!token()) return signIn();
  const found = location.hash.match(/^#\/device\/(\d{32})$/);
  if (found) {
    const eid = found[1];
    stamp("device");
    view.querySelector(".inventory").replaceWith(
      button("Take inventory", () => queue(eid, [{ operation: "inventory" }]), "inventory"));
    view.querySelector(".push").addEventListener("submit", async (event) => {
      event.preventDefault();
      const form = new FormData(event.target);
      const push = { operation: "push", activation_code: form.get("code").trim() };
      const confirmation = form.get("confirmation").trim();
      if (confirmation) push.confirmation_code = confirmation;
      if (await attempt(() => queue(eid, [push]))) {
        event.target.reset();
        await refresh();
      }
    });
    draw = () => device(eid);
  } else {
    stamp("fleet");
    after = "";
    view.querySelector(".find").addEventListener("submit", (event) => {
      event.preventDefault();
      // The list begins after what is given: one digit less than the EID itself.
      after = new FormData(event.target).get("after").trim().slice(0, 31);
      refresh();
    });
    draw = fleet;
  }
  refresh();
}

document.getElementById("forget").addEventListener("click", () => {
  sessionStorage.removeItem("token");
  say(null);
  route();
});
window.addEventListener("hashchange", route);
route();
