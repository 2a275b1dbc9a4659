// The page of one study: which series, which picture, which window; what is over is taken off the screen.

import { Gestures } from "./gestures.js";
import { Over, Pictures, Unshowable } from "./pictures.js";

const FIRST_LOOK = "1024,1024";
const CONFIRM_SCROLLING = 1500;
const CONFIRM_IDLE = 10_000;
const WORDS_OF_END = {
  "records.image_not_found": "您已不能查看此影像：授权已被撤回、已到期，或影像已被隐藏。",
  "records.view_ended": "本次查看的时间已到，或账号已退出登录。请回到小程序重新打开。",
};

// Why a picture cannot be shown, by how the platform's reason begins.
const WORDS_OF_REASON = {
  "a frame of this size": "图像尺寸过大",
  "the instance has no complete": "文件缺少图像属性或像素",
  "the instance is no picture": "其中没有图像",
};
const OPPOSITE = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };
const WORDS_OF_SIDE = { L: "左", R: "右", A: "前", P: "后", H: "头", F: "足" };

// Left or right is said first: 左后.
const wordsOf = (letters) =>
  Object.keys(WORDS_OF_SIDE).filter((letter) => letters.includes(letter)).map((letter) => WORDS_OF_SIDE[letter]).join("");
const at = (id) => document.getElementById(id);
const screen = document.querySelector(".screen");

if (screen) {
  open(screen, JSON.parse(at("study").textContent));
}

function open(screen, study) {
  const stage = screen.querySelector(".stage");
  const [picture, place, saying, slider, cine] = ["picture", "place", "saying", "slider", "cine"].map(at);
  const pictures = new Pictures(screen.dataset.base);
  const flat = study.series.map((one) =>
    one.images.flatMap(([uid, frames, isLarge, runs]) =>
      Array.from({ length: frames }, (_, frame) => ({ path: `${uid}/frames/${frame + 1}/rendered`, isLarge, runs })),
    ),
  );
  const state = { series: study.start[0], position: study.start[1], window: study.series.map(() => ""), isClose: false };
  // A phone on its side has no height for both.
  const low = matchMedia("(max-height: 480px)");
  const fold = () => low.matches && screen.querySelectorAll(".reports details").forEach((one) => one.removeAttribute("open"));
  low.addEventListener("change", fold);
  fold();
  let timer = 0;
  let isOver = false;

  const clamp = (position) => Math.max(0, Math.min(flat[state.series].length - 1, position));

  function addressOf(position) {
    const { path, isLarge } = flat[state.series][position];
    const asked = [];
    if (state.window[state.series]) {
      asked.push(`window=${state.window[state.series]}`);
    }
    if (isLarge && !state.isClose) {
      asked.push(`viewport=${FIRST_LOOK}`);
    }
    return `${study.series[state.series].base}/${path}${asked.length ? `?${asked.join("&")}` : ""}`;
  }

  // Which sides of the body the picture's edges are: in words for its patient, in letters for who reads many.
  function nameSides(runs) {
    const [right = "", bottom = ""] = runs?.split("\\") ?? [];
    const turned = (letters) => [...letters].map((letter) => OPPOSITE[letter]).join("");
    const said = { right, bottom, left: turned(right), top: turned(bottom) };
    const inWords = screen.dataset.own === "true";
    for (const side of screen.querySelectorAll(".side")) {
      const letters = said[side.dataset.side];
      side.textContent = inWords ? wordsOf(letters) : letters;
    }
  }

  function nearby() {
    const found = [];
    for (let distance = 1; distance < flat[state.series].length && found.length < 40; distance += 1) {
      for (const position of [state.position + distance, state.position - distance]) {
        if (flat[state.series][position]) {
          found.push(addressOf(position));
        }
      }
    }
    return found;
  }

  async function show() {
    const [series, position] = [state.series, state.position];
    const address = addressOf(position);
    const isWanted = () => !isOver && series === state.series && position === state.position;
    place.textContent = `${position + 1} / ${flat[series].length}`;
    slider.value = String(position + 1);
    picture.classList.toggle("is-late", !pictures.peek(address));
    try {
      const url = await pictures.get(address);
      if (!isWanted() || address !== addressOf(position)) {
        return;
      }
      picture.src = url;
      picture.hidden = false;
      picture.dataset.shown = `${series}/${position}`;
      picture.classList.remove("is-late");
      nameSides(flat[series][position].runs);
      say("");
      pictures.confirm(CONFIRM_SCROLLING).catch(react);
      pictures.around(nearby());
    } catch (error) {
      if (isWanted() || error instanceof Over) {
        react(error);
      }
    }
  }

  function react(error) {
    if (error instanceof Over) {
      end(error.code);
    } else if (error instanceof Unshowable) {
      picture.hidden = true;
      nameSides(null);
      say(`这一幅无法显示为图片：${reasonOf(error)}。${screen.dataset.own === "true" ? "原始文件可以下载。" : ""}`);
      pictures.around(nearby());
    } else {
      say("网络不畅，正在重试……");
      setTimeout(() => !isOver && show(), 2000);
    }
  }

  function reasonOf({ message }) {
    const found = Object.keys(WORDS_OF_REASON).find((start) => message.startsWith(start));
    const form = message.match(/\((?!unknown)(.+)\)$/)?.[1];
    return found ? WORDS_OF_REASON[found] : `像素损坏、不完整，或编码格式不受支持${form ? `（${form}）` : ""}`;
  }

  function say(text) {
    saying.textContent = text;
    saying.hidden = !text;
  }

  // Nothing of the study stays on the page or in its memory.
  function end(code) {
    if (isOver) {
      return;
    }
    isOver = true;
    stop();
    pictures.dropAll();
    screen.remove();
    at("study").remove();
    document.querySelector(".facts").remove();
    document.querySelector(".copies")?.remove();
    at("why").textContent = WORDS_OF_END[code] ?? "本次查看已结束，请重新打开。";
    at("ended").hidden = false;
  }

  function step(count) {
    const position = clamp(state.position + count);
    if (position !== state.position) {
      state.position = position;
      show();
    }
  }

  function choose(series) {
    stop();
    state.series = series;
    const isStack = !study.series[series].moves && flat[series].length >= 8;
    state.position = isStack ? Math.floor(flat[series].length / 2) : 0;
    lay();
    gestures.whole();
    show();
  }

  function lay() {
    const { presets, moves } = study.series[state.series];
    slider.max = String(flat[state.series].length);
    slider.hidden = flat[state.series].length < 2;
    cine.hidden = !moves;
    for (const button of screen.querySelectorAll(".choice")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.series) === state.series));
    }
    at("presets").replaceChildren(...(presets.length > 1 ? presets.map(presetButton) : []));
  }

  function presetButton([name, value]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.setAttribute("aria-pressed", String(value === state.window[state.series]));
    button.addEventListener("click", () => {
      state.window[state.series] = value;
      lay();
      show();
    });
    return button;
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    at("play").setAttribute("aria-pressed", "false");
    at("play").textContent = "播放";
  }

  function play() {
    const count = flat[state.series].length;
    timer = setInterval(() => {
      const next = (state.position + 1) % count;
      // A film waits for its pictures instead of skipping them.
      if (pictures.peek(addressOf(state.position))) {
        state.position = next;
        show();
      }
    }, 1000 / Number(at("speed").value));
    at("play").setAttribute("aria-pressed", "true");
    at("play").textContent = "暂停";
  }

  function toggle() {
    if (timer) {
      stop();
    } else if (study.series[state.series].moves) {
      play();
    }
  }

  const gestures = new Gestures(stage, picture, {
    step,
    to: (end) => step(end === "first" ? -state.position : flat[state.series].length),
    closer: (scale) => {
      at("whole").hidden = scale === 1;
      const isClose = scale > 1.5;
      if (isClose !== state.isClose) {
        state.isClose = isClose;
        show();
      }
    },
    toggle,
  });

  slider.addEventListener("input", () => step(Number(slider.value) - 1 - state.position));
  at("play").addEventListener("click", toggle);
  at("speed").addEventListener("change", () => timer && (stop(), play()));
  at("whole").addEventListener("click", () => gestures.whole());
  for (const button of screen.querySelectorAll(".choice")) {
    button.addEventListener("click", () => choose(Number(button.dataset.series)));
  }
  const confirm = (longest) => pictures.confirm(longest).catch((error) => error instanceof Over && end(error.code));
  setInterval(() => document.hidden || confirm(CONFIRM_IDLE), CONFIRM_IDLE / 2);
  document.addEventListener("visibilitychange", () => document.hidden || confirm(0));

  lay();
  show().then(async () => {
    // The first look comes first; small pictures of the other series after it.
    for (const small of screen.querySelectorAll(".choice img")) {
      try {
        small.src = await pictures.get(small.dataset.address);
      } catch (error) {
        small.closest(".choice").classList.add("is-missing");
        if (error instanceof Over) {
          end(error.code);
        }
      }
    }
  });
}
