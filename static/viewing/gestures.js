// What fingers, wheel and keys mean: one finger scrolls, or moves a picture that is looked at closely; two zoom.

const PIXELS_A_STEP = 14;
const CLOSEST = 8;

export class Gestures {
  #pointers = new Map();
  #scale = 1;
  #x = 0;
  #y = 0;
  #left = 0;
  #tappedAt = 0;
  #moved = 0;

  // `on`: { step(count), to(end), closer(scale), toggle() }
  constructor(stage, picture, on) {
    this.stage = stage;
    this.picture = picture;
    this.on = on;
    stage.addEventListener("pointerdown", (event) => this.#down(event));
    stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) {
      stage.addEventListener(name, (event) => this.#up(event));
    }
    stage.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    document.addEventListener("keydown", (event) => this.#key(event));
  }

  whole() {
    this.#scale = 1;
    this.#x = this.#y = 0;
    this.#apply();
  }

  #down(event) {
    this.stage.setPointerCapture(event.pointerId);
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#left = this.#moved = 0;
  }

  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) {
      return;
    }
    const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
    this.#moved += Math.abs(dx) + Math.abs(dy);
    if (this.#pointers.size === 2) {
      this.#pinch(event, before);
    } else if (this.#scale > 1) {
      this.#shift(dx, dy);
    } else {
      this.#left += dy;
      const steps = Math.trunc(this.#left / PIXELS_A_STEP);
      this.#left -= steps * PIXELS_A_STEP;
      if (steps) {
        this.on.step(steps);
      }
    }
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  }

  #pinch(event, before) {
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)[1];
    const apart = (point) => Math.hypot(point.x - other.x, point.y - other.y) || 1;
    const now = { x: event.clientX, y: event.clientY };
    this.#zoom(apart(now) / apart(before), (now.x + other.x) / 2, (now.y + other.y) / 2);
    this.#shift((now.x - before.x) / 2, (now.y - before.y) / 2);
  }

  #up(event) {
    const wasOne = this.#pointers.size === 1;
    this.#pointers.delete(event.pointerId);
    if (!wasOne || event.type === "pointercancel" || this.#moved > 8) {
      return;
    }
    const isSecond = event.timeStamp - this.#tappedAt < 320;
    this.#tappedAt = isSecond ? 0 : event.timeStamp;
    if (isSecond && this.#scale > 1) {
      this.whole();
    } else if (isSecond) {
      this.#zoom(2.5, event.clientX, event.clientY);
    }
  }

  #wheel(event) {
    event.preventDefault();
    if (event.ctrlKey) {
      this.#zoom(Math.exp(-event.deltaY / 200), event.clientX, event.clientY);
    } else {
      this.on.step(Math.sign(event.deltaY));
    }
  }

  #key(event) {
    // A button that was just pressed keeps the keys that press it, and no others.
    const own = event.key === " " ? "input, select, button, .reports" : "input, select, .reports";
    if (event.target.closest(own) && event.key !== "Escape") {
      return;
    }
    const box = this.stage.getBoundingClientRect();
    const middle = [box.left + box.width / 2, box.top + box.height / 2];
    const acts = {
      ArrowDown: () => this.on.step(1),
      ArrowRight: () => this.on.step(1),
      ArrowUp: () => this.on.step(-1),
      ArrowLeft: () => this.on.step(-1),
      PageDown: () => this.on.step(10),
      PageUp: () => this.on.step(-10),
      Home: () => this.on.to("first"),
      End: () => this.on.to("last"),
      "+": () => this.#zoom(1.25, ...middle),
      "=": () => this.#zoom(1.25, ...middle),
      "-": () => this.#zoom(0.8, ...middle),
      "0": () => this.whole(),
      Escape: () => this.whole(),
      " ": () => this.on.toggle(),
    };
    if (acts[event.key]) {
      event.preventDefault();
      acts[event.key]();
    }
  }

  // Closer or further, so that what is under (x, y) stays there.
  #zoom(by, x, y) {
    const scale = Math.min(CLOSEST, Math.max(1, this.#scale * by));
    const box = this.stage.getBoundingClientRect();
    const [fromX, fromY] = [x - box.left - box.width / 2, y - box.top - box.height / 2];
    const ratio = scale / this.#scale;
    this.#x = fromX - (fromX - this.#x) * ratio;
    this.#y = fromY - (fromY - this.#y) * ratio;
    this.#scale = scale;
    this.#shift(0, 0);
    this.on.closer(scale);
  }

  #shift(dx, dy) {
    const box = this.stage.getBoundingClientRect();
    const bound = (value, size) => Math.max(-size * (this.#scale - 1) / 2, Math.min(size * (this.#scale - 1) / 2, value));
    this.#x = bound(this.#x + dx, box.width);
    this.#y = bound(this.#y + dy, box.height);
    this.#apply();
  }

  #apply() {
    this.picture.style.transform = `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    this.stage.classList.toggle("is-close", this.#scale > 1);
    if (this.#scale === 1) {
      this.on.closer(1);
    }
  }
}
