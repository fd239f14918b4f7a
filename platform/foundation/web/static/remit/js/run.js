// A running run: the page holds its history; the stream only says that there is more, and the living part is read again.
"use strict";

(() => {
  const page = document.querySelector("[data-stream]");
  if (!page) return;
  const KINDS = (page.dataset.kinds || "").split(" ").filter(Boolean);
  const ENDS = new Set(["run.succeeded", "run.failed", "run.cancelled", "run.expired"]);
  const PAUSE_AFTER = 5000;
  let stream = null;
  let due = 0;
  let last = page.dataset.after || "0";
  let poll = 0;
  let over = false;
  let hidden = 0;

  const busy = () => document.activeElement?.closest("#live :is(input:not([type=checkbox]), textarea, select)");

  function refresh() {
    if (due) return;
    due = setTimeout(async () => {
      due = 0;
      // Nothing moves under somebody who types.
      if (busy()) { document.activeElement.addEventListener("blur", refresh, { once: true }); return; }
      const address = new URL(location.href);
      address.searchParams.set("part", "live");
      await htmx.ajax("GET", address.pathname + address.search, { target: "#live", swap: "outerMorph" });
      follow();
      if (poll) live(false);
      if (!document.querySelector("#live[data-stream]")) {
        over = true;
        live(true);
        close();
        clearInterval(poll);
      }
    }, 250);
  }

  function follow() {
    if (!document.querySelector("[data-follow]")?.checked) return;
    const rows = document.querySelectorAll(".wf-row");
    rows[rows.length - 1]?.scrollIntoView({ block: "nearest" });
  }

  function open() {
    if (stream || over || document.hidden) return;
    stream = new EventSource(`${page.dataset.stream}?after=${encodeURIComponent(last)}`);
    stream.onopen = () => { clearInterval(poll); poll = 0; live(true); };
    const heard = (event) => {
      if (event.lastEventId) last = event.lastEventId;
      refresh();
      if (ENDS.has(event.type)) { over = true; close(); }
    };
    stream.onmessage = heard;
    for (const kind of KINDS) stream.addEventListener(kind, heard);
    stream.onerror = () => {
      live(false);
      // Where no stream is served, ask every so many seconds, as the banner says.
      const every = 1000 * document.querySelector("#stream-banner").dataset.every;
      poll ||= setInterval(() => { if (!document.hidden) again(); }, every);
    };
  }

  // A browser tries a dropped stream again by itself, but not one that something on the way has answered for it.
  function again(now) {
    if (now || stream?.readyState === EventSource.CLOSED) { close(); open(); }
    refresh();
  }

  function close() {
    stream?.close();
    stream = null;
  }

  // A browser keeps six connections to a host: a hidden tab gives its one back.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(close, PAUSE_AFTER);
    else if (!over) { open(); refresh(); }
  });
  // What somebody has opened stays open.
  htmx.registerExtension("remit-open", {
    htmx_before_morph_attr: (element, detail) => !(detail.attrName === "open" && element.matches("details")),
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-again]")) again(true); });
  addEventListener("pagehide", close);
  open();
})();
