"use strict";
(() => {
  const filters = document.querySelector("div.filters");
  if (!filters) {
    // Of a long report only a part is here: a link to another look of it leads to the page with that one.
    const lead = () => {
      const [, key] = location.hash.match(/^#look-([0-9a-f]+)$/) || [];
      const there = new URL(location);
      if (!key || document.getElementById("look-" + key) || there.searchParams.get("look") === key) return;
      there.searchParams.set("look", key);
      location.replace(there);
    };
    addEventListener("hashchange", lead);
    lead();
    return;
  }
  const cards = [...document.querySelectorAll(".card")];
  const text = filters.querySelector("#text");
  const selects = ["collection", "model"].map((name) => [name, filters.querySelector("#" + name)]).filter(([, one]) => one);
  const states = [...filters.querySelectorAll("button")];
  const count = filters.querySelector("#count");
  const nothing = document.querySelector(".nothing");

  const apply = () => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(states.filter((one) => one.ariaPressed === "true").map((one) => one.value));
    let shown = 0;
    for (const card of cards) {
      const { dataset } = card;
      const fits =
        (!wanted.size || wanted.has(dataset.state)) &&
        selects.every(([name, one]) => !one.value || dataset[name] === one.value) &&
        words.every((word) => dataset.text.includes(word));
      card.hidden = !fits;
      shown += fits;
    }
    count.value = shown === cards.length ? `${shown} looks` : `${shown} of ${cards.length} looks`;
    nothing.hidden = shown > 0;
  };

  for (const one of states) {
    one.addEventListener("click", () => {
      one.ariaPressed = one.ariaPressed === "true" ? "false" : "true";
      apply();
    });
  }
  text.addEventListener("input", apply);
  for (const [, one] of selects) one.addEventListener("change", apply);
  // A link to a look must lead somewhere even while the filters hide it.
  addEventListener("hashchange", () => {
    const card = document.getElementById(location.hash.slice(1));
    if (card) {
      card.hidden = false;
      card.scrollIntoView();
    }
  });
  filters.hidden = false;
  apply();
})();
