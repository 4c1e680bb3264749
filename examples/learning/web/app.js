// Letter Meadow: which view is shown for which address.

import { get, write } from "./api.js";
import { el, show } from "./dom.js";
import { childForm, family } from "./family.js";
import { garden } from "./garden.js";
import { followStars } from "./live.js";
import { play } from "./play.js";
import { welcome } from "./welcome.js";

let parent = null;
let leave = null;
let visits = 0;

function drawNav() {
  document.getElementById("nav").replaceChildren(
    ...(parent ? [el("button", { class: "link", type: "button", onclick: logOut, title: parent.email }, "Log out")] : []),
  );
}

async function logOut() {
  await write("POST", "/api/logout").catch(() => null);
  parent = null;
  if (location.hash !== "#/") location.hash = "#/";
  else route();
}

function enter(account) {
  parent = account;
  if (location.hash && location.hash !== "#/") location.hash = "#/";
  else route();
}

async function route() {
  const visit = ++visits;
  leave?.();
  leave = null;
  drawNav();
  if (!parent) return welcome(enter);
  const [, place, id] = location.hash.split("/");
  const views = { play, garden, child: childForm };
  try {
    const left = await (views[place] ?? family)(id);
    if (typeof left !== "function") return;
    if (visit === visits) leave = left;
    else left();
  } catch (refused) {
    stumble(refused);
  }
}

function stumble(refused, again = route) {
  if (refused?.status === 401) {
    parent = null;
    route();
  } else if (refused?.status === 404) {
    location.hash = "#/";
  } else {
    show(el("section", { class: "card finish" }, el("h1", {}, "Oh dear"), el("p", { class: "lead", role: "alert" }, refused?.message ?? "Something is broken."),
      el("button", { class: "go", type: "button", onclick: again }, "Try again")));
  }
}

window.addEventListener("hashchange", route);
window.addEventListener("unhandledrejection", (event) => {
  if (event.reason?.status === 401) stumble(event.reason);
});

async function open() {
  try {
    const account = await get("/api/me");
    parent = account.email ? account : null;
    await route();
  } catch (refused) {
    stumble(refused, open);
  }
}

open();
followStars();
