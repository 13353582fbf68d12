// The keyboard. One table says what each key does; the help dialog is made from the same table.
// Keys are known by their place (event.code), so that they work under any layout and while Korean is being typed.

const press = (name) => () => {
  const target = document.querySelector(`[data-key="${name}"]:not(:disabled)`);
  if (!target) return false;
  if (target.matches("a")) { location.assign(target.href); } else { target.focus(); target.click(); }
  return true;
};
const pick = (name) => () => {
  const target = document.querySelector(`input[data-key="${name}"]:not(:disabled)`);
  if (!target) return false;
  target.checked = true;
  target.dispatchEvent(new Event("change", { bubbles: true }));
  target.focus({ preventScroll: true });
  target.closest("label")?.scrollIntoView({ block: "nearest" });
  return true;
};

const KEYS = [
  { name: "down", code: "KeyJ", shown: "J", run: () => step(1) },
  { name: "up", code: "KeyK", shown: "K", run: () => step(-1) },
  { name: "open", code: "Enter", shown: "Enter", run: open },
  { name: "next", code: "KeyN", shown: "N", run: press("next") },
  { name: "take", code: "KeyT", shown: "T", run: press("take") },
  { name: "skip", code: "KeyS", shown: "S", run: press("skip") },
  { name: "handover", code: "KeyH", shown: "H", run: press("handover") },
  { name: "label", code: /^(?:Digit|Numpad)([1-9])$/, shown: "1–9", run: (digit) => pick(`label-${digit}`)() },
  { name: "remove", code: "KeyX", shown: "X", run: pick("remove") },
  { name: "restrict", code: "KeyR", shown: "R", run: pick("restrict") },
  { name: "none", code: "KeyA", shown: "A", run: pick("none") },
  { name: "note", code: "KeyC", shown: "C", run: () => focus("[data-key=note]") },
  { name: "decide", code: "KeyD", shown: "D", run: press("decide") },
  { name: "reveal", code: "Space", shown: "Space", run: null }, // reveal.js: it lasts as long as it is held
  { name: "undo", code: "KeyU", shown: "U", run: press("undo") },
  { name: "queue", code: "KeyQ", shown: "Q", run: press("queue") },
  { name: "help", code: "Slash", shift: true, types: "?", shown: "?", run: press("help") },
];

const dialog = document.getElementById("keys");
const list = document.getElementById("keylist");
const toggle = document.getElementById("keys-on");
let row = "";

function rows() { return [...document.querySelectorAll("[data-row]")]; }

function step(by) {
  const all = rows();
  if (!all.length) return false;
  const at = all.findIndex((one) => one.dataset.row === row);
  const next = all[Math.min(all.length - 1, Math.max(0, at + by))];
  row = next.dataset.row;
  next.focus();
  return true;
}

function open() {
  const chosen = rows().find((one) => one.dataset.row === row);
  if (!chosen || document.activeElement !== document.body) return false; // what has the focus opens by itself
  location.assign(chosen.href);
  return true;
}

function focus(selector) {
  const target = document.querySelector(selector);
  target?.focus();
  return Boolean(target);
}

function isWriting(target) {
  return target.matches?.("textarea, select, [contenteditable], input:not([type=radio], [type=checkbox])");
}

function isOn() { return localStorage.getItem("jikimi-keys") !== "off"; }

function found(event) {
  for (const key of KEYS) {
    if (key.run === null) continue;
    if (key.types === event.key) return key;
    if (Boolean(key.shift) !== event.shiftKey) continue;
    if (typeof key.code === "string" ? key.code === event.code : key.code.test(event.code)) return key;
  }
  return null;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || dialog.open) return;
  if (isWriting(event.target)) {
    if (event.code === "Escape" && !event.isComposing) event.target.blur();
    return;
  }
  const key = found(event);
  if (!key || (!isOn() && key.name !== "help")) return;
  const digit = typeof key.code === "string" ? undefined : event.code.match(key.code)[1];
  if (key.run(digit)) event.preventDefault();
});

for (const key of KEYS) {
  const term = document.createElement("dt");
  const cap = document.createElement("kbd");
  cap.textContent = key.shown;
  term.append(cap);
  const text = document.createElement("dd");
  text.textContent = list.dataset[key.name];
  list.append(term, text);
}
toggle.checked = isOn();
toggle.addEventListener("change", () => localStorage.setItem("jikimi-keys", toggle.checked ? "on" : "off"));
for (const button of document.querySelectorAll("button[data-key=help]")) {
  button.addEventListener("click", () => dialog.showModal());
}

// Rows are replaced while somebody looks at them: keep their place.
document.addEventListener("focusin", (event) => { if (event.target.dataset?.row) row = event.target.dataset.row; });
let hadFocus = false;
document.addEventListener("focusout", (event) => { hadFocus = Boolean(event.target.dataset?.row); });
new MutationObserver(() => {
  const again = rows().find((one) => one.dataset.row === row);
  if (hadFocus && again && document.activeElement === document.body) again.focus({ preventScroll: true });
}).observe(document.getElementById("main"), { childList: true, subtree: true });
