// A picture is shown while a key or button is held, and not a moment longer. It is fetched when the hold begins, lives
// on a canvas only, and is gone at the release: of the key, of the finger, of the window's focus.

const SPOT = 0.11; // of the longer side
let held = null;

class Hold {
  constructor(figure) {
    this.figure = figure;
    this.canvas = figure.querySelector("canvas");
    this.told = figure.querySelector("[role=status]");
    this.level = figure.querySelector("[name=level]:checked").value;
    this.stop = new AbortController();
    this.at = { x: 0.5, y: 0.5 };
  }

  async begin() {
    this.figure.dataset.state = "loading";
    this.told.textContent = "";
    try {
      const form = new URLSearchParams(new FormData(this.figure.querySelector("form.look")));
      const started = await this.post(this.figure.dataset.reveal, form);
      this.id = (await started.json()).reveal;
      if (this.isOver) { this.report(); return; }
      const answer = await this.post(`/desk/reveals/${this.id}/picture`, undefined, this.stop.signal);
      const bitmap = await createImageBitmap(await answer.blob());
      if (this.isOver) { bitmap.close(); return; }
      this.bitmap = bitmap;
      this.figure.dataset.state = "shown";
      this.draw();
      // Nothing stays for longer than the server lets it count.
      this.timer = setTimeout(end, 1000 * Number(this.figure.dataset.longest));
    } catch (fault) {
      if (fault.name !== "AbortError") this.told.textContent = fault.told ?? this.figure.dataset.failed;
      if (held === this) end();
    }
  }

  async post(path, body, signal) {
    const answer = await fetch(path, { method: "POST", body, signal, cache: "no-store", headers: { Accept: "application/json" } });
    if (answer.ok) return answer;
    throw Object.assign(new Error("refused"), { told: (await answer.json()).detail });
  }

  draw() {
    if (!this.bitmap) return;
    const { width, height } = this.bitmap;
    this.canvas.width = width;
    this.canvas.height = height;
    const pen = this.canvas.getContext("2d");
    if (this.level === "spot") {
      pen.beginPath();
      pen.arc(this.at.x * width, this.at.y * height, SPOT * Math.max(width, height), 0, 2 * Math.PI);
      pen.clip();
    }
    pen.drawImage(this.bitmap, 0, 0);
  }

  move(x, y) {
    this.at = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
    if (this.level === "spot") this.draw();
  }

  end() {
    this.isOver = true;
    clearTimeout(this.timer);
    this.stop.abort();
    this.bitmap?.close();
    this.bitmap = null;
    this.canvas.width = this.canvas.height = 0;
    this.figure.dataset.state = "";
    if (this.id) this.report();
  }

  report() {
    fetch(`/desk/reveals/${this.id}/end`, { method: "POST", keepalive: true, headers: { Accept: "application/json" } })
      .catch(() => {}); // the server ends it by itself, and counts the longest time
  }
}

function begin(figure) {
  if (held || !figure) return;
  held = new Hold(figure);
  held.begin();
}

function end() {
  const over = held;
  held = null;
  over?.end();
}

function isFree(target) {
  return !target.closest?.("a, button, input, select, textarea, summary, dialog[open]") || target.matches("[data-hold]");
}

const figures = [...document.querySelectorAll("figure[data-reveal]")];
let chosen = figures[0];
for (const figure of figures) {
  figure.addEventListener("focusin", () => { chosen = figure; });
  figure.addEventListener("pointermove", (event) => {
    const box = figure.querySelector("canvas").getBoundingClientRect();
    if (held?.figure === figure && box.width) held.move((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  });
  const button = figure.querySelector("[data-hold]");
  button.addEventListener("pointerdown", (event) => { if (event.button === 0) begin(figure); });
  button.addEventListener("contextmenu", (event) => event.preventDefault());
  button.addEventListener("click", (event) => event.preventDefault());
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
document.addEventListener("keydown", (event) => {
  if (held && event.code in MOVES) {
    const [x, y] = MOVES[event.code];
    held.move(held.at.x + x * 0.05, held.at.y + y * 0.05);
    event.preventDefault();
    return;
  }
  if (event.code !== "Space" || !figures.length || !isFree(event.target)) return;
  if (event.target === document.body && localStorage.getItem("jikimi-keys") === "off") return;
  event.preventDefault();
  if (!event.repeat) begin(event.target.closest("figure[data-reveal]") ?? chosen);
});
document.addEventListener("keyup", (event) => { if (event.code === "Space") end(); });
for (const name of ["pointerup", "pointercancel", "blur", "pagehide"]) addEventListener(name, end);
document.addEventListener("visibilitychange", end);
