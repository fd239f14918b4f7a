// Everything the console does in the browser beside htmx: theme, keys, palette, copy, tooltips, relative times.
// Only listeners; no handlers in the markup, so that the content security policy can stay strict.
"use strict";

const find = (selector, from = document) => from.querySelector(selector);
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const typing = (target) => target instanceof Element && target.closest("input, textarea, select, [contenteditable]");

// ---- theme: the server renders it from the cookie; here it changes without a reload
document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.matches("[data-theme-form]")) return;
  event.preventDefault();
  const data = new FormData(form, event.submitter);
  const theme = data.get("theme");
  document.documentElement.dataset.theme = theme;
  try {
    await fetch(form.action, { method: "POST", body: data, headers: { Accept: "application/json" } });
  } catch {
    // The page keeps the chosen theme; the next visit shows the stored one.
  }
});

// ---- tabs: the page's own is in view, also where not all of them are
for (const tab of all(".tabs [aria-current]")) tab.scrollIntoView({ block: "nearest", inline: "nearest" });

// ---- copy
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.preventDefault();
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied");
  } catch {
    say("Copying is not allowed here; select the text instead");
  }
});

function say(text) {
  const region = find("#toasts");
  if (!region) return;
  const toast = document.createElement("p");
  toast.className = "toast";
  toast.textContent = text;
  region.append(toast);
  setTimeout(() => toast.remove(), 4000);
}
document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.closest(".toast, .banner")?.remove());

// ---- tooltips
let tipFor = null;
function showTip(target) {
  const tip = find("#tooltip");
  if (!tip || !tip.showPopover) return;
  tip.textContent = target.dataset.tip;
  tip.showPopover();
  tipFor = target;
  const at = target.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left + at.width / 2 - size.width / 2), innerWidth - size.width - 8);
  const above = at.top - size.height - 6;
  tip.style.left = `${left}px`;
  tip.style.top = `${above > 8 ? above : at.bottom + 6}px`;
}
function hideTip() {
  if (!tipFor) return;
  tipFor = null;
  find("#tooltip")?.hidePopover();
}
for (const kind of ["pointerover", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const target = event.target instanceof Element && event.target.closest("[data-tip]");
    if (target === tipFor) return;
    hideTip();
    // What was pressed with a pointer has the focus too, and needs no explanation any more.
    if (kind === "focusin" && target && !target.matches(":focus-visible")) return;
    if (target) showTip(target);
  });
}
document.addEventListener("focusout", hideTip);
document.addEventListener("click", hideTip);
document.addEventListener("scroll", hideTip, { capture: true, passive: true });

// ---- times: "4m ago" and "24m left" follow the clock
function spell(seconds) {
  if (seconds < 60) return `${Math.max(0, Math.floor(seconds))}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86400)}d`;
}
function clockDuration(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h ${Math.floor((whole % 3600) / 60)}m`;
}
function refreshTimes() {
  const now = Date.now();
  for (const node of all("time[data-relative]")) {
    const seconds = (Date.parse(node.dateTime) - now) / 1000;
    let text;
    if (node.dataset.relative === "until") text = seconds > 0 ? `${spell(seconds)} left` : "expired";
    else text = seconds > -5 ? "now" : `${spell(-seconds)} ago`;
    if (node.textContent !== text) node.textContent = text;
  }
  for (const node of all("[data-ticking]")) {
    node.textContent = clockDuration((now - Date.parse(node.dataset.ticking)) / 1000);
  }
}
setInterval(() => { if (!document.hidden) refreshTimes(); }, 1000);
document.addEventListener("visibilitychange", refreshTimes);

// ---- palette and the sheet of keys
function openDialog(id) {
  const dialog = document.getElementById(id);
  if (!dialog || dialog.open) return;
  dialog.showModal();
  const field = find("input", dialog);
  if (field) { field.select(); filterPalette(""); }
}
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) { event.preventDefault(); openDialog(opener.dataset.opens); return; }
  if (event.target instanceof HTMLDialogElement && event.target.open) event.target.close();
});
function choices() { return all("#palette a").filter((link) => !link.hidden); }
function choose(link) {
  for (const other of all('#palette a[aria-selected="true"]')) other.removeAttribute("aria-selected");
  link?.setAttribute("aria-selected", "true");
  link?.scrollIntoView({ block: "nearest" });
}
function filterPalette(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  for (const link of all("#palette [data-static] a")) {
    link.hidden = !words.every((word) => link.textContent.toLowerCase().includes(word));
  }
  for (const group of all("#palette [data-static] section")) {
    group.hidden = !find("a:not([hidden])", group);
  }
  choose(choices()[0]);
}
document.addEventListener("input", (event) => { if (event.target.matches("#palette input")) filterPalette(event.target.value); });
document.addEventListener("htmx:after:swap", () => { if (find("#palette")?.open) choose(choices()[0]); refreshTimes(); });
document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.("#palette input")) return;
  const links = choices();
  const at = links.findIndex((link) => link.getAttribute("aria-selected") === "true");
  if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    choose(links[(at + (event.key === "ArrowDown" ? 1 : links.length - 1)) % links.length]);
  } else if (event.key === "Enter" && links[at]) {
    event.preventDefault();
    links[at].click();
  }
});

// ---- keys: sequences on links (data-keys="g h"), rows (j k Enter and letters), "/", "?"
let pending = "";
let pendingTimer = 0;
function press(key) {
  pending = pending ? `${pending} ${key}` : key;
  clearTimeout(pendingTimer);
  const target = find(`[data-keys="${CSS.escape(pending)}"]`);
  if (target) { pending = ""; target.click(); return true; }
  const more = find(`[data-keys^="${CSS.escape(`${pending} `)}"]`);
  if (more) { pendingTimer = setTimeout(() => { pending = ""; }, 1200); return true; }
  pending = "";
  return false;
}
function move(step) {
  const rows = all("[data-row]").filter((row) => row.checkVisibility?.() ?? true);
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains("cursor"));
  const next = rows[Math.min(rows.length - 1, Math.max(0, at + step))];
  for (const row of rows) row.classList.toggle("cursor", row === next);
  find(".row-link", next)?.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openDialog("palette");
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || find("dialog[open]")) return;
  if (event.key === "?") { openDialog("keys"); return; }
  if (event.key === "/") {
    const field = find("[data-filter]");
    if (field) { event.preventDefault(); field.focus(); }
    return;
  }
  if (!pending && (event.key === "j" || event.key === "k")) { move(event.key === "j" ? 1 : -1); return; }
  const inRow = !pending && find(`.cursor [data-row-key="${CSS.escape(event.key)}"]`);
  if (inRow) { inRow.click(); return; }
  if (event.key.length === 1 && press(event.key)) event.preventDefault();
});

// ---- forms that filter submit themselves; an error summary takes the focus
document.addEventListener("change", (event) => {
  const form = event.target.closest?.("form[data-auto]");
  if (form) form.requestSubmit();
});
find(".error-summary")?.focus();

// ---- htmx: the forgery token on every request that is not a read
document.addEventListener("htmx:config:request", (event) => {
  const token = find('meta[name="csrf-token"]')?.content;
  const request = event.detail.ctx?.request;
  if (token && request) request.headers["X-CSRFToken"] = token;
});

// ---- waterfall: the chosen row is marked at once; the inspector follows
document.addEventListener("click", (event) => {
  const row = event.target.closest(".wf-row");
  if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
  for (const other of all(".wf-row[aria-current]")) other.removeAttribute("aria-current");
  row.setAttribute("aria-current", "true");
});

// ---- live: a banner says that the stream is down, and of when the page is
function live(up) {
  const banner = find("#stream-banner");
  if (!banner) return;
  const since = find("[data-since]", banner);
  if (since) since.textContent = find("[data-seen]")?.dataset.seen ?? "";
  banner.hidden = up;
}
