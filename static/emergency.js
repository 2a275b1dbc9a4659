// The terminal of this browser proves itself when a record is opened; and how long an emergency access still lasts.
import { prove, readEnrolment } from "./terminal.js";

const form = document.getElementById("emergency-form");
if (form !== null) {
  const enrolment = readEnrolment()
    .then((found) => (found?.hospital === form.dataset.hospital ? found : undefined))
    .catch(() => undefined);
  enrolment.then((found) => {
    if (found !== undefined) {
      form.elements.terminal.value = found.terminal;
    }
  });

  async function addProof() {
    const found = await enrolment;
    if (found !== undefined && form.elements.terminal.value === found.terminal) {
      form.elements.terminal_proof.value = await prove(found, {
        method: "POST",
        address: form.dataset.proofAddress,
        session: form.elements.csrf_token.value,
      });
    }
  }

  // Whoever taps twice in a hurry sends it once.
  let isSent = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!isSent) {
      isSent = true;
      addProof().finally(() => form.submit());
    }
  });
  window.addEventListener("pageshow", () => {
    isSent = false;
  });
}

const left = document.getElementById("emergency-left");
if (left !== null) {
  const endsAt = Date.parse(left.dataset.endsAt);
  const count = () => {
    const minutes = Math.max(0, Math.ceil((endsAt - Date.now()) / 60000));
    left.textContent = minutes > 0 ? `还剩 ${minutes} 分钟` : "已结束";
  };
  count();
  setInterval(count, 10_000);
}
