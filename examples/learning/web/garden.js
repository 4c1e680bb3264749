// A child's meadow: what has grown from every letter.

import { get } from "./api.js";
import { count, el, show } from "./dom.js";

const STAGES = [
  { name: "not planted yet", picture: "" },
  { name: "seed", picture: "🌰" },
  { name: "sprout", picture: "🌱" },
  { name: "leaves", picture: "🌿" },
  { name: "bud", picture: "🌷" },
  { name: "flower", picture: "🌻" },
];

function stageOf(letter) {
  return letter.grown === null ? 0 : Math.min(letter.grown + 1, STAGES.length - 1);
}

export async function garden(id) {
  const grown = await get(`/api/progress?child=${id}`);
  const flowers = grown.letters.filter((letter) => stageOf(letter) === STAGES.length - 1).length;
  const planted = grown.letters.filter((letter) => letter.grown !== null).length;
  show(
    el("h1", { class: "centre" }, `${grown.name}'s meadow`),
    el("p", { class: "lead centre" },
      `★ ${count(grown.stars, "star", "stars")} · ${planted} of 26 letters planted · ${count(flowers, "flower", "flowers")}`),
    el(
      "ul", { class: "beds" },
      ...grown.letters.map((letter) => {
        const stage = stageOf(letter);
        const said = stage ? `${STAGES[stage].name}, ${letter.right} right, ${letter.wrong} wrong` : STAGES[0].name;
        return el("li", { class: `bed stage-${stage}`, title: said },
          el("span", { class: "emoji", "aria-hidden": "true" }, STAGES[stage].picture),
          el("b", {}, letter.letter, el("small", { "aria-hidden": "true" }, letter.letter.toLowerCase())),
          el("span", { class: "hidden" }, said));
      }),
    ),
    el("p", { class: "key", "aria-hidden": "true" }, ...STAGES.slice(1).map((stage) => el("span", {}, `${stage.picture} ${stage.name}`))),
    el("p", { class: "centre" }, el("a", { class: "go", href: `#/play/${id}` }, "Play")),
    el("p", { class: "centre" }, el("a", { class: "link", href: "#/" }, "Back")),
  );
}
