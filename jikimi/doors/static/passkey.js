// Passkeys. A form with the class `passkey` asks the service for options, has the browser answer them, and sends the
// answer as an ordinary form. Nothing is written as markup; the page goes on working without this script.
document.documentElement.classList.add("scripted");

const toBytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const named = (list) => (list ?? []).map((one) => ({ ...one, id: toBytes(one.id) }));

const does = {
  create: (asked) =>
    navigator.credentials.create({
      publicKey: {
        ...asked,
        challenge: toBytes(asked.challenge),
        user: { ...asked.user, id: toBytes(asked.user.id) },
        excludeCredentials: named(asked.excludeCredentials),
      },
    }),
  get: (asked) =>
    navigator.credentials.get({
      publicKey: { ...asked, challenge: toBytes(asked.challenge), allowCredentials: named(asked.allowCredentials) },
    }),
};

function written(made) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (made.response[name]) response[name] = toText(made.response[name]);
  }
  return JSON.stringify({ id: made.id, rawId: toText(made.rawId), type: made.type, response });
}

async function answer(form) {
  const words = form.dataset;
  if (!window.PublicKeyCredential) throw new Error(words.none);
  if (location.origin !== words.origin) throw new Error(words.elsewhere.replace("{origin}", words.origin));
  const body = new URLSearchParams(new FormData(form));
  const reply = await fetch(words.ask, { method: "POST", body, redirect: "error" }).catch(() => {
    throw new Error(words.offline);
  });
  const asked = await reply.json().catch(() => ({ message: words.offline }));
  if (asked.code === "proof_stale" && words.prove) return location.assign(words.prove);
  if (!reply.ok) throw new Error(asked.message);
  const made = await does[words.do](asked).catch(() => {
    throw new Error(words.cancelled);
  });
  form.elements.answer.value = written(made);
  if (words.action) form.action = words.action;
  HTMLFormElement.prototype.submit.call(form);
}

for (const form of document.querySelectorAll("form.passkey")) {
  const zone = form.elements.time_zone;
  if (zone) zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (form.querySelector("[data-passkey]") && !button?.hasAttribute("data-passkey")) return;
    event.preventDefault();
    const box = form.querySelector("[role=alert]");
    box.hidden = true;
    if (button) button.disabled = true;
    answer(form)
      .catch((error) => {
        box.textContent = error.message;
        box.hidden = false;
      })
      .finally(() => {
        if (button) button.disabled = false;
      });
  });
}
