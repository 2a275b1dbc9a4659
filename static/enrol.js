// Enrols this browser as a terminal: a key is made here, and its public half goes to the platform with the code.
import { keepEnrolment, makeKeys, prove, readEnrolment } from "./terminal.js";

const form = document.getElementById("enrol-form");
const enrolled = document.getElementById("enrolled");
const refusal = document.getElementById("refusal");

function say(place, text) {
  enrolled.hidden = place !== enrolled;
  refusal.hidden = place !== refusal;
  place.textContent = text;
}

async function enrol(code) {
  const keys = await makeKeys();
  const proof = await prove(keys, { method: "POST", address: form.dataset.proofAddress });
  const reply = await fetch("/api/v1/terminals/enrol", {
    method: "POST",
    headers: { "Content-Type": "application/json", DPoP: proof },
    body: JSON.stringify({ code, public_jwk: keys.publicJwk }),
  });
  const answer = await reply.json();
  if (!reply.ok) {
    throw new Error(answer.title);
  }
  await keepEnrolment({ ...keys, hospital: answer.hospital_id, terminal: answer.code });
  return answer;
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const answer = await enrol(document.getElementById("code").value.trim());
    say(enrolled, `登记成功：本机现在是「${answer.hospital_name}」的终端 ${answer.code}。可以关闭本页。`);
    form.hidden = true;
  } catch (error) {
    say(refusal, `登记未成功：${error.message}`);
  } finally {
    button.disabled = false;
  }
});

if (globalThis.crypto?.subtle === undefined || globalThis.indexedDB === undefined) {
  say(refusal, "此浏览器不能保存密钥。请使用新版浏览器，并通过 https 打开本页。");
  form.hidden = true;
} else {
  readEnrolment().then((found) => {
    if (found !== undefined) {
      say(enrolled, `本机已登记为终端 ${found.terminal}。输入新的登记码可以更换。`);
    }
  });
}
