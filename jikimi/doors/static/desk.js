// What every page does beside its keys: say when there is no connection, keep drafts, keep a case while one works on it.

document.documentElement.classList.add("scripted");

const offline = document.getElementById("offline");
const show = (isOffline) => { offline.hidden = !isOffline; };
addEventListener("offline", () => show(true));
addEventListener("online", () => show(false));
show(!navigator.onLine);
for (const name of ["htmx:error", "htmx:sendError"]) document.addEventListener(name, () => show(true));
for (const name of ["htmx:after:request", "htmx:afterRequest"]) {
  document.addEventListener(name, (event) => {
    const status = event.detail?.ctx?.response?.status ?? event.detail?.xhr?.status ?? 0;
    if (status) show(false);
  });
}

// A draft stays in this tab until it was sent, whatever becomes of the page meanwhile.
for (const done of document.querySelectorAll("[data-draft-sent]")) {
  sessionStorage.removeItem(`jikimi-draft-${done.dataset.draftSent}`);
}
for (const field of document.querySelectorAll("[data-draft]")) {
  const name = `jikimi-draft-${field.dataset.draft}`;
  if (!field.value) field.value = sessionStorage.getItem(name) ?? "";
  field.addEventListener("input", () => sessionStorage.setItem(name, field.value));
}

// A case stays mine while I work on it: an idle page lets it go.
const lease = document.querySelector("[data-extend]");
if (lease) {
  let last = Date.now();
  const stay = async () => {
    if (Date.now() - last < 60_000) return;
    last = Date.now();
    try {
      const answer = await fetch(lease.dataset.extend, { method: "POST", headers: { Accept: "application/json" } });
      const told = await answer.json();
      lease.textContent = answer.ok ? told.text : told.detail;
      show(false);
    } catch { show(true); }
  };
  for (const name of ["keydown", "pointerdown", "scroll", "input"]) addEventListener(name, stay, { passive: true });
}

// Twice is once: a form that is on its way is not sent again.
addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if (form.dataset.sent) { event.preventDefault(); return; }
  form.dataset.sent = "yes";
  setTimeout(() => { delete form.dataset.sent; }, 4000);
});
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
