// Pictures side by side that zoom and pan together: wheel and drag, two fingers, or keys.
"use strict";

class Panes {
  constructor(root) {
    this.root = root;
    this.pointers = new Map();
    this.reset();
    root.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    root.addEventListener("pointerdown", (event) => this.#down(event));
    root.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) root.addEventListener(name, (event) => this.#up(event));
    for (const image of root.querySelectorAll("img")) {
      let tries = 0;
      // A server that is busy gives it a moment later.
      const again = () => {
        tries += 1;
        if (tries > 3) { image.closest(".view").dataset.missing = image.dataset.missing; return; }
        setTimeout(() => { image.src = `${image.src.replace(/&again=\d$/, "")}&again=${tries}`; }, 600 * tries);
      };
      image.addEventListener("error", again);
      if (image.complete && !image.naturalWidth && image.src) again();
    }
  }

  reset() { this.#set(1, 0, 0); }

  zoom(factor, at = { x: 0.5, y: 0.5 }) {
    const before = this.z;
    const z = Math.min(12, Math.max(1, before * factor));
    const grown = z / before;
    // What is at the pointer stays there. Places are shares of a pane, from its middle.
    const px = at.x - 0.5, py = at.y - 0.5;
    this.#set(z, px - (px - this.x) * grown, py - (py - this.y) * grown);
  }

  pan(dx, dy) { if (this.z > 1) this.#set(this.z, this.x + dx, this.y + dy); }

  // A picture's pixel is a pixel of the screen, at the pointer; once more: whole again.
  exact() {
    if (this.z > 1) { this.reset(); return; }
    const image = this.#result();
    if (!image) return;
    const box = image.getBoundingClientRect();
    const show = () => {
      const fit = Math.min(box.width / image.naturalWidth, box.height / image.naturalHeight);
      this.zoom(Math.max(1.5, 1 / (fit * devicePixelRatio)), this.at ?? undefined);
    };
    this.#wholes();
    if (image.complete) show(); else image.addEventListener("load", show, { once: true });
  }

  before(on) { this.root.classList.toggle("before", on); }

  #result() { return this.root.querySelector(".made img.after") ?? this.root.querySelector("img"); }

  #set(z, x, y) {
    const most = (z - 1) / 2;
    this.z = z;
    this.x = Math.min(most, Math.max(-most, x));
    this.y = Math.min(most, Math.max(-most, y));
    this.root.style.setProperty("--z", this.z);
    this.root.style.setProperty("--x", this.x);
    this.root.style.setProperty("--y", this.y);
    this.root.classList.toggle("large", z > 1);
    if (z > 1.5) this.#wholes();
  }

  #wholes() {
    for (const image of this.root.querySelectorAll("img[data-whole]")) {
      const { whole } = image.dataset;
      delete image.dataset.whole;
      const larger = new Image();
      larger.onload = () => { image.src = whole; };
      larger.src = whole;
    }
  }

  #place(event) {
    const view = event.target.closest(".view");
    if (!view) return null;
    const box = view.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, box };
  }

  #wheel(event) {
    const at = this.#place(event);
    if (!at || (this.z === 1 && event.deltaY > 0)) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0022)), at);
  }

  #down(event) {
    if (!event.target.closest(".view") || event.button) return;
    this.pointers.set(event.pointerId, event);
    if (this.z > 1) event.target.setPointerCapture(event.pointerId);
  }

  #move(event) {
    const at = this.#place(event);
    if (at) this.at = at;
    const last = this.pointers.get(event.pointerId);
    if (!last || !at) return;
    const others = [...this.pointers.values()].filter((other) => other.pointerId !== event.pointerId);
    if (others.length) {
      const apart = (one) => Math.hypot(one.clientX - others[0].clientX, one.clientY - others[0].clientY);
      this.zoom(apart(event) / Math.max(1, apart(last)), at);
    } else if (this.z > 1) {
      this.root.classList.add("moving");
      this.pan((event.clientX - last.clientX) / at.box.width, (event.clientY - last.clientY) / at.box.height);
    }
    this.pointers.set(event.pointerId, event);
  }

  #up(event) {
    this.pointers.delete(event.pointerId);
    this.root.classList.remove("moving");
  }
}
