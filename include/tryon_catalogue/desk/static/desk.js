// What every page does: times in the reader's own zone, decisions without leaving the page, links out of the frame.
"use strict";

const desk = (() => {
  const { base, token, network } = document.body.dataset;
  const said = document.getElementById("said");
  let fading;

  function say(message, wrong = false) {
    said.textContent = message;
    said.classList.toggle("wrong", wrong);
    said.hidden = false;
    clearTimeout(fading);
    if (!wrong) fading = setTimeout(() => { said.hidden = true; }, 6000);
  }

  // Sends a decision: {ok, message, ...}, whatever happens on the way.
  async function decide(path, fields) {
    const body = new URLSearchParams(fields);
    try {
      const answer = await fetch(`${base}/${path}`, {
        method: "POST", body, credentials: "same-origin",
        headers: { Accept: "application/json", "X-Tryon-Token": token },
      });
      return await answer.json();
    } catch {
      return { ok: false, message: network };
    }
  }

  function localTimes(root = document) {
    const zone = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    for (const time of root.querySelectorAll("time[datetime]")) {
      time.title = time.textContent;
      time.textContent = zone.format(new Date(time.dateTime));
    }
  }

  // Airflow shows the desk in a frame that may not turn its own window elsewhere; a link of Airflow's own page may.
  function leaveFrame(event) {
    const link = event.target.closest("a[data-airflow]");
    if (!link || window.parent === window || event.defaultPrevented) return;
    try {
      const outside = window.parent.document.createElement("a");
      outside.href = link.href;
      window.parent.document.body.append(outside);
      outside.click();
      outside.remove();
      event.preventDefault();
    } catch { /* another site's frame: the link is followed here */ }
  }

  async function sendForm(event) {
    const form = event.target.closest("form[data-decision]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    const fields = new FormData(form, button);
    if (button) button.disabled = true;
    const answer = await decide(form.dataset.decision, fields);
    if (!answer.ok) {
      if (button) button.disabled = false;
      say(answer.message, true);
      return;
    }
    sessionStorage.setItem("said", answer.message);
    location.reload();
  }

  document.addEventListener("click", leaveFrame);
  document.addEventListener("submit", sendForm);
  localTimes();
  const kept = sessionStorage.getItem("said");
  if (kept) {
    sessionStorage.removeItem("said");
    say(kept);
  }
  return { base, say, decide, localTimes };
})();
