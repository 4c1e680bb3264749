// The game: a picture, its word without the first letter, and four letters to choose from.

import { get, write } from "./api.js";
import { AVATARS, capital, count, el, emoji, show } from "./dom.js";
import { followCheers } from "./live.js";

const ROUND = 10;
const LOOK_AT_IT_MS = 1500;

export async function play(id) {
  const child = (await get("/api/children")).find((one) => one.id === id);
  if (!child) {
    location.hash = "#/";
    return null;
  }
  const outcomes = [];
  let question;
  let isWaiting = true;
  let timer;
  let isOver = false;

  const stars = el("span", { class: "stars" });
  const pots = el("ol", { class: "pots", "aria-label": "This round" });
  const heading = el("h1", {}, "Find the first letter");
  const picture = el("div", { class: "picture" });
  const word = el("p", { class: "word" });
  const tiles = el("div", { class: "tiles" });
  const bubble = el("p", { class: "bubble", role: "status" });
  const next = el("button", { class: "go", onclick: ask, hidden: true }, "Next letter");
  const listen = "speechSynthesis" in window && el("button", { class: "listen", type: "button", onclick: say }, emoji("🔊"), "Listen");

  function say() {
    speechSynthesis.cancel();
    const speech = new SpeechSynthesisUtterance(question.word);
    speech.lang = "en";
    speech.rate = 0.8;
    speechSynthesis.speak(speech);
  }

  function drawPots() {
    stars.replaceChildren(`★ ${child.stars.toLocaleString("en")}`, el("span", { class: "unit" }, child.stars === 1 ? " star" : " stars"));
    pots.replaceChildren(
      ...Array.from({ length: ROUND }, (_, place) => {
        const outcome = outcomes[place];
        const said = outcome === undefined ? (place === outcomes.length ? "now" : "to come") : outcome ? "flower" : "sprout";
        return el("li", { class: `pot ${said.replace(" ", "-")}` },
          el("span", { "aria-hidden": "true" }, outcome === undefined ? "" : outcome ? "🌼" : "🌱"), el("span", { class: "hidden" }, said));
      }),
    );
  }

  async function ask() {
    clearTimeout(timer);
    if (document.activeElement === next) heading.focus({ preventScroll: true });
    next.hidden = true;
    if (outcomes.length === ROUND) return finish();
    question = await fetchQuestion();
    if (!question || isOver) return;
    picture.replaceChildren(emoji(question.picture, question.word));
    word.className = "word";
    word.replaceChildren(el("span", { class: "blank" }, el("span", { class: "hidden" }, "blank")), question.word.slice(1));
    tiles.replaceChildren(
      ...question.choices.map((letter, place) =>
        el("button", { class: `tile tile-${place}`, type: "button", "data-letter": letter, onclick: () => choose(letter) }, letter)),
    );
    drawPots();
    isWaiting = false;
  }

  async function fetchQuestion() {
    try {
      return await get(`/api/game/next?child=${id}`);
    } catch (refused) {
      if (refused.status === 401) throw refused;
      stumble(refused, ask);
      return null;
    }
  }

  function stumble(refused, again) {
    tiles.replaceChildren(
      el("div", { class: "problem wide", role: "alert" }, el("p", {}, refused.message),
        el("button", { class: "go", type: "button", onclick: again }, "Try again")),
    );
  }

  async function choose(letter) {
    if (isWaiting) return;
    isWaiting = true;
    let outcome;
    try {
      outcome = await write("POST", "/api/game/answer", { child: id, question: question.question, choice: letter });
    } catch (refused) {
      if (refused.status === 401) throw refused;
      return stumble(refused, refused.status === 400 ? ask : () => { isWaiting = false; choose(letter); });
    }
    if (isOver) return;
    outcomes.push(outcome.is_right);
    child.stars = outcome.stars;
    for (const tile of tiles.children) {
      tile.disabled = true;
      if (tile.dataset.letter === outcome.letter) tile.classList.add("right");
      else if (tile.dataset.letter === letter) tile.classList.add("wrong");
      else tile.classList.add("faded");
    }
    word.classList.add("whole");
    word.replaceChildren(el("b", {}, outcome.word[0].toUpperCase()), outcome.word.slice(1));
    bubble.textContent = outcome.is_right
      ? `Yes! ${outcome.letter} is for ${capital(outcome.word)}.`
      : `Nearly! ${capital(outcome.word)} begins with ${outcome.letter}.`;
    drawPots();
    next.textContent = outcomes.length === ROUND ? "See what you grew" : "Next letter";
    next.hidden = false;
    next.scrollIntoView({ block: "nearest" });
    if (outcome.is_right) timer = setTimeout(ask, LOOK_AT_IT_MS);
    else next.focus();
  }

  function finish() {
    isWaiting = true;
    const flowers = outcomes.filter(Boolean).length;
    show(
      el(
        "section", { class: "card finish" },
        el("p", { class: "bouquet", "aria-hidden": "true" }, "🌼".repeat(flowers) + "🌱".repeat(ROUND - flowers)),
        el("h1", {}, flowers === ROUND ? `All ten, ${child.name}!` : flowers ? `You grew ${count(flowers, "flower", "flowers")}, ${child.name}!` : `Ten new sprouts, ${child.name}!`),
        el("p", { class: "lead" }, `You have ${count(child.stars, "star", "stars")} now.`),
        el("button", { class: "go", type: "button", onclick: start }, "Play again"),
        el("a", { class: "link", href: `#/garden/${id}` }, "Look at my meadow"),
        el("a", { class: "link", href: "#/" }, "Somebody else's turn"),
      ),
    );
  }

  function start() {
    outcomes.length = 0;
    bubble.textContent = `Hello ${child.name}! Which letter is missing?`;
    show(
      el(
        "section", { class: "game" },
        el("div", { class: "status" }, stars, pots),
        el("div", { class: "card question" }, heading, picture, word, listen),
        tiles,
        el("div", { class: "friend" }, emoji(AVATARS[child.avatar]), bubble),
        el("div", { class: "next" }, next),
      ),
    );
    drawPots();
    return ask();
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || isWaiting) return;
    const letter = event.key.length === 1 ? event.key.toUpperCase() : "";
    const choice = question.choices.includes(letter) ? letter : question.choices[Number(letter) - 1];
    if (choice) choose(choice);
  }

  const hushCheers = followCheers((cheer) => {
    if (!isWaiting) bubble.textContent = cheer;
  });
  document.addEventListener("keydown", press);
  await start();
  return () => {
    isOver = true;
    clearTimeout(timer);
    hushCheers();
    document.removeEventListener("keydown", press);
    if (listen) speechSynthesis.cancel();
  };
}
