// A running run: the page holds its history; the stream only says that there is more, and the living part is read again.
"use strict";

(() => {
  const page = document.querySelector("[data-stream]");
  if (!page) return;
  const KINDS = ["queued", "started", "waiting", "resumed", "succeeded", "failed", "cancelled", "expired"]
    .map((word) => `run.${word}`)
    .concat(["intended", "succeeded", "failed", "refused", "unknown", "waiting"].map((word) => `step.${word}`));
  const ENDS = new Set(["run.succeeded", "run.failed", "run.cancelled", "run.expired"]);
  const PAUSE_AFTER = 5000;
  let stream = null;
  let due = 0;
  let last = page.dataset.after || "0";
  let poll = 0;
  let hidden = 0;

  function refresh() {
    if (due) return;
    due = setTimeout(async () => {
      due = 0;
      const address = new URL(location.href);
      address.searchParams.set("part", "live");
      await htmx.ajax("GET", address.pathname + address.search, { target: "#live", swap: "outerMorph" });
      follow();
      if (!document.querySelector("#live[data-stream]")) {
        for (const mark of document.querySelectorAll("[data-while-live]")) mark.hidden = true;
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
    if (stream || document.hidden) return;
    stream = new EventSource(`${page.dataset.stream}?after=${encodeURIComponent(last)}`);
    stream.onopen = () => { clearInterval(poll); poll = 0; live(true); };
    const heard = (event) => {
      if (event.lastEventId) last = event.lastEventId;
      refresh();
      if (ENDS.has(event.type)) close();
    };
    stream.onmessage = heard;
    for (const kind of KINDS) stream.addEventListener(kind, heard);
    stream.onerror = () => {
      live(false);
      // Where no stream is served, ask every 15 seconds.
      poll ||= setInterval(() => { if (!document.hidden) refresh(); }, 15000);
    };
  }

  function close() {
    stream?.close();
    stream = null;
  }

  // A browser keeps six connections to a host: a hidden tab gives its one back.
  document.addEventListener("visibilitychange", () => {
    clearTimeout(hidden);
    if (document.hidden) hidden = setTimeout(close, PAUSE_AFTER);
    else { open(); refresh(); }
  });
  addEventListener("pagehide", close);
  open();
})();
