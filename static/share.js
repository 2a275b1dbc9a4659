// Sends what stands behind the hash sign together with name and passcode. It is taken out of the address at once, so
// that it stands in no history, no bookmark and no picture of the screen.

const form = document.getElementById("door");
const refusal = document.getElementById("refusal");

// The secret itself, or a SMART Health Link whose address ends with it.
function readSecret(fragment) {
  if (!fragment.startsWith("shlink:/")) {
    return fragment;
  }
  try {
    const text = fragment.slice("shlink:/".length).replaceAll("-", "+").replaceAll("_", "/");
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes)).url.split("/").at(-1);
  } catch {
    return "";
  }
}

function explain(problem) {
  if (problem.code === "consent.share_passcode_wrong") {
    const left = problem.remainingAttempts;
    return left > 0
      ? `口令不正确，还可以再试 ${left} 次。 Wrong passcode, ${left} tries left.`
      : "口令不正确，链接已锁定。请联系分享人更换口令。 Locked: ask the sender for a new passcode.";
  }
  if (problem.code === "consent.share_link_closed") {
    return "此链接不可用：可能已到期、被收回、打开次数用完或已锁定。请联系分享人。 This link cannot be opened. Please ask the sender.";
  }
  return problem.status === 429 ? "尝试过于频繁，请一分钟后再试。 Too many tries, wait a minute." : problem.title;
}

async function open(secret) {
  const { viewer, passcode } = Object.fromEntries(new FormData(form));
  const reply = await fetch("/share/openings", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ secret, viewer: viewer.trim(), passcode: passcode.trim() }),
    referrerPolicy: "no-referrer",
  });
  const answer = await reply.json();
  if (!reply.ok) {
    throw new Error(explain(answer));
  }
  location.replace(answer.address);
}

const secret = readSecret(decodeURIComponent(location.hash.slice(1)));
history.replaceState(null, "", location.pathname);
const isWhole = /^[A-Za-z0-9_-]{43}$/.test(secret);
form.hidden = !isWhole;
document.getElementById("incomplete").hidden = isWhole;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  refusal.hidden = true;
  try {
    await open(secret);
  } catch (error) {
    refusal.textContent = error instanceof TypeError ? "网络不通，请稍后再试。 No connection, try again." : error.message;
    refusal.hidden = false;
    button.disabled = false;
  }
});
