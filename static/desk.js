// A scanner types wherever the cursor is: bring it back to the scan field when nothing else is being filled in.
import { prove, readEnrolment } from "./terminal.js";

const field = document.getElementById("code");
const form = document.getElementById("scan-form");

function isFillingIn() {
  const active = document.activeElement;
  return active !== null && active.matches("input, select, textarea");
}

function bringBack() {
  if (!isFillingIn()) {
    field.focus();
  }
}

window.addEventListener("focus", bringBack);
document.addEventListener("click", () => {
  // After the click has taken effect, and not while somebody marks text to copy it.
  setTimeout(() => {
    if (String(window.getSelection()) === "") {
      bringBack();
    }
  }, 0);
});

for (const select of form.querySelectorAll("select")) {
  select.addEventListener("change", () => field.focus());
}

// What this browser is enrolled as, when it is a terminal of this hospital. Without a key the form is sent as it is.
const terminal = form.elements.terminal;
const enrolment = readEnrolment()
  .then((found) => (found?.hospital === form.dataset.hospital ? found : undefined))
  .catch(() => undefined);

enrolment.then((found) => {
  if (found !== undefined && terminal !== undefined) {
    terminal.value = found.terminal;
  }
});

async function addProof(sent, shown) {
  const found = await enrolment;
  if (found === undefined || terminal?.value !== found.terminal) {
    return;
  }
  sent.elements.terminal_proof.value = await prove(found, {
    method: "POST",
    address: form.dataset.proofAddress,
    session: form.elements.csrf_token.value,
    code: shown,
  });
}

// Scanners that end a line with CR and LF send the form twice; once is enough.
let isSent = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (isSent) {
    return;
  }
  isSent = true;
  // As the platform reads it: an input method may have widened the letters.
  addProof(form, field.value.trim().normalize("NFKC")).finally(() => form.submit());
});
window.addEventListener("pageshow", () => {
  isSent = false;
});

// Another card is registered at the same workplace: with what is chosen above at this moment.
const carrierForm = document.getElementById("carrier-form");
if (carrierForm !== null) {
  carrierForm.addEventListener("submit", (event) => {
    event.preventDefault();
    for (const kept of carrierForm.querySelectorAll("input[type=hidden]")) {
      const chosen = form.elements.namedItem(kept.name);
      if (chosen !== null) {
        kept.value = chosen.value;
      }
    }
    addProof(carrierForm, carrierForm.elements.carrier_number.value.trim()).finally(() => carrierForm.submit());
  });
}
