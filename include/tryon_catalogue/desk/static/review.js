// The queue of looks: the next opens by itself, five are loaded ahead, and every action has a key.
"use strict";

(() => {
  const AHEAD = 5;
  const stage = document.getElementById("stage");
  const left = document.getElementById("left");
  const filters = document.getElementById("filters");
  const dialogs = Object.fromEntries(["why", "bulk", "help", "whole"].map((id) => [id, document.getElementById(id)]));
  const query = () => new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  const loaded = new Map(); // key -> promise of the fragment
  const seen = [];          // keys that were shown, in their order
  let ahead = JSON.parse(stage.dataset.next);
  let total = Number(stage.dataset.total);
  let panes = null;
  let working = false;
  let asked = null;         // what the open dialog of reasons is about

  const look = () => stage.querySelector(".look");

  function count() {
    left.textContent = total === 1 ? left.dataset.one : left.dataset.many.replace("{n}", total.toLocaleString());
  }

  // The text of a look; null when it does not wait any more. A server that is busy is asked again.
  async function ask(key) {
    for (let wait = 250; ; wait *= 2) {
      const answer = await fetch(`${desk.base}/review/look/${key}`, { credentials: "same-origin" }).catch(() => null);
      if (answer?.ok) return answer.text();
      if (answer && answer.status !== 503) return null;
      if (wait > 8000) { desk.say(document.body.dataset.network, true); return null; }
      await new Promise((done) => { setTimeout(done, wait); });
    }
  }

  function load(key) {
    if (!loaded.has(key)) {
      const promise = ask(key)
        .then((text) => {
          if (text === null) { loaded.delete(key); return null; }
          const fragment = document.createRange().createContextualFragment(text);
          // The pictures are fetched while the one before is looked at.
          fragment.querySelectorAll("img").forEach((image) => { new Image().src = image.src; });
          return text;
        });
      loaded.set(key, promise);
    }
    return loaded.get(key);
  }

  async function more() {
    if (ahead.length < AHEAD) {
      const asked = query();
      // What is shown and what is loaded stays this person's own; what was skipped comes when the page begins anew.
      for (const key of [...(look() ? [look().dataset.key] : []), ...ahead]) asked.append("keep", key);
      for (const key of seen.slice(-400)) asked.append("not", key);
      try {
        const answer = await fetch(`${desk.base}/review/next`, {
          method: "POST", body: asked, credentials: "same-origin",
          headers: { Accept: "application/json", "X-Tryon-Token": document.body.dataset.token },
        });
        const told = await answer.json();
        if (told.ok) {
          const kept = new Set(told.kept);
          ahead = ahead.filter((key) => kept.has(key));
          const known = new Set([...ahead, ...seen, look()?.dataset.key]);
          ahead.push(...told.keys.filter((key) => !known.has(key)));
          total = told.total;
          count();
        }
      } catch { /* the next step asks again */ }
    }
    ahead.slice(0, AHEAD).forEach(load);
  }

  async function show(key) {
    const text = key && await load(key);
    if (key && !text) { loaded.delete(key); return next(); }
    stage.replaceChildren(key ? document.createRange().createContextualFragment(text)
      : document.getElementById("empty").content.cloneNode(true));
    begin();
    if (key) more();
  }

  function begin() {
    const now = look();
    panes = now && new Panes(now.querySelector(".panes"));
    if (!now) { stage.querySelector("a")?.focus(); return; }
    desk.localTimes(now);
    now.querySelector(".panes").focus({ preventScroll: true });
  }

  async function next() {
    if (!ahead.length) await more();
    await show(ahead.shift());
  }

  function leave() {
    const now = look();
    if (now) { seen.push(now.dataset.key); loaded.delete(now.dataset.key); }
  }

  async function decide(action, more = []) {
    const now = look();
    if (!now || working) return;
    working = true;
    const fields = [["look", now.dataset.key], ["seen", now.dataset.seen], ["action", action], ...more];
    const answer = await desk.decide("review/decide", fields);
    working = false;
    desk.say(answer.message, !answer.ok);
    if (answer.ok || answer.conflict) {
      if (answer.ok) { total -= 1; count(); }
      leave();
      await next();
    }
  }

  function accept() {
    const boxes = [...look().querySelectorAll("input[name=picture]")];
    const ticked = boxes.filter((box) => box.checked);
    if (!boxes.length) return;
    if (!ticked.length) { desk.say(stage.dataset.tick, true); return; }
    decide("accept", ticked.map((box) => ["picture", box.value]));
  }

  function why(action) {
    asked = action;
    const dialog = dialogs.why;
    dialog.querySelector("form").reset();
    for (const part of dialog.querySelectorAll("[data-remake]")) {
      (part.querySelector("span") ?? part).textContent = part.dataset[action];
    }
    const costs = look().querySelector("template.costs");
    document.getElementById("costs").replaceChildren(...(action === "remake" && costs ? [costs.content.cloneNode(true)] : []));
    dialog.showModal();
    dialog.querySelector("input").focus();
  }

  async function undo() {
    if (working) return;
    working = true;
    const answer = await desk.decide("review/undo", []);
    working = false;
    desk.say(answer.message, !answer.ok);
    if (!answer.ok) return;
    total += 1;
    count();
    if (look()) ahead.unshift(look().dataset.key);
    loaded.delete(answer.look);
    const place = seen.lastIndexOf(answer.look);
    if (place >= 0) seen.splice(place, 1);
    await show(answer.look);
  }

  async function back() {
    const key = seen.pop();
    if (!key) return;
    if (look()) ahead.unshift(look().dataset.key);
    loaded.delete(key);
    await show(key);
  }

  function whole() {
    const image = stage.querySelector(dialogs.whole.dataset.before === "1" ? ".made img.before" : ".made img.after");
    const hovered = [...stage.querySelectorAll(".view:hover img")].find((one) => getComputedStyle(one).visibility === "visible");
    const chosen = hovered ?? image ?? stage.querySelector("img");
    if (!chosen) return;
    const shown = dialogs.whole.querySelector("img");
    shown.src = chosen.dataset.whole ?? chosen.src;
    shown.alt = chosen.alt;
    dialogs.whole.querySelector("p").textContent = `${look().dataset.name} · ${chosen.alt}`;
    dialogs.whole.showModal();
  }

  function before(on) {
    panes?.before(on);
    stage.querySelector("[data-do=before]")?.setAttribute("aria-pressed", String(on));
  }

  const isBefore = () => Boolean(stage.querySelector(".panes.before"));
  const may = (name) => look()?.querySelector(`[data-do=${name}]`);
  const actions = {
    accept, undo, back, whole,
    remake: () => why("remake"),
    refuse: () => why("refuse"),
    collect: () => decide("collect"),
    skip: async () => { if (look()) { leave(); await next(); } },
    before: () => before(!isBefore()),
    in: () => panes?.zoom(1.4),
    out: () => panes?.zoom(1 / 1.4),
    help: () => dialogs.help.showModal(),
    bulk: () => { dialogs.bulk.querySelector("form").reset(); dialogs.bulk.showModal(); },
    cancel: (button) => button.closest("dialog").close(),
  };

  const keys = {
    a: () => may("accept") && accept(),
    r: () => may("remake") && why("remake"),
    x: () => may("refuse") && why("refuse"),
    c: () => may("collect") && decide("collect"),
    s: actions.skip, ArrowRight: actions.skip, ArrowLeft: back,
    u: () => may("undo") && undo(),
    " ": actions.before,
    z: () => panes?.exact(), "+": actions.in, "=": actions.in, "-": actions.out, 0: () => panes?.reset(),
    w: whole,
    f: () => filters.querySelector("select")?.focus(),
    "?": actions.help,
  };
  const pans = { ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (button) actions[button.dataset.do](button);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (dialogs.why.open) { inReasons(event); return; }
    if (document.querySelector("dialog[open]")) return;
    const typing = event.target.closest("select, textarea, input:not([type=checkbox])");
    if (typing) { if (event.key === "Escape") event.target.blur(); return; }
    // A focused button or link keeps its own keys.
    if (event.target.closest("button, a, input") && [" ", "Enter"].includes(event.key)) return;
    if (event.shiftKey && pans[event.key]) { event.preventDefault(); panes?.pan(...pans[event.key]); return; }
    const box = /^[1-9]$/.test(event.key) && look()?.querySelectorAll("input[name=picture]")[event.key - 1];
    const act = box ? () => box.disabled || box.click() : keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  function inReasons(event) {
    const typing = event.target.closest("textarea");
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !event.target.closest("button")) {
      event.preventDefault();
      dialogs.why.close("yes");
    } else if (!typing && /^[1-9]$/.test(event.key)) {
      event.preventDefault();
      dialogs.why.querySelectorAll("input[name=reason]")[event.key - 1]?.click();
    } else if (!typing && event.key.toLowerCase() === "n") {
      event.preventDefault();
      dialogs.why.querySelector("textarea").focus();
    }
  }

  dialogs.why.addEventListener("close", () => {
    if (dialogs.why.returnValue !== "yes") return;
    dialogs.why.returnValue = "";
    decide(asked, [...new FormData(dialogs.why.querySelector("form"))]);
  });

  dialogs.bulk.addEventListener("close", async () => {
    if (dialogs.bulk.returnValue !== "yes") return;
    dialogs.bulk.returnValue = "";
    const typed = dialogs.bulk.querySelector("input");
    if (Number(typed.value) !== total) { desk.say(typed.dataset.wrong, true); return; }
    const answer = await desk.decide("review/accept-all", [...query(), ["count", String(total)]]);
    if (!answer.ok) { desk.say(answer.message, true); return; }
    sessionStorage.setItem("said", answer.message);
    location.reload();
  });

  filters.addEventListener("change", () => filters.requestSubmit());
  stage.addEventListener("change", (event) => event.target.matches("input[name=picture]") && event.target.blur());
  begin();
  more();
})();
