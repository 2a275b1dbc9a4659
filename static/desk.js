// A scanner types wherever the cursor is: bring it back to the scan field when nothing else is being filled in.
"use strict";

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

// Scanners that end a line with CR and LF send the form twice; once is enough.
let isSent = false;
form.addEventListener("submit", (event) => {
  if (isSent) {
    event.preventDefault();
  }
  isSent = true;
});
window.addEventListener("pageshow", () => {
  isSent = false;
});

// Another card is registered at the same workplace: with what is chosen above at this moment.
const carrierForm = document.getElementById("carrier-form");
if (carrierForm !== null) {
  carrierForm.addEventListener("submit", () => {
    for (const kept of carrierForm.querySelectorAll("input[type=hidden]")) {
      const chosen = form.elements.namedItem(kept.name);
      if (chosen !== null) {
        kept.value = chosen.value;
      }
    }
  });
}
