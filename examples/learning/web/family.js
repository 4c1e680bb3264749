// Who is playing? The children of the account, and the form to add or change one.

import { get, write } from "./api.js";
import { AVATARS, capital, count, el, emoji, show } from "./dom.js";

export async function family() {
  const children = await get("/api/children");
  if (!children.length) return childForm();
  show(
    el("h1", { class: "centre" }, "Who is playing?"),
    el(
      "ul", { class: "family" },
      ...children.map((child) =>
        el(
          "li", { class: "member" },
          el(
            "a", { class: "card", href: `#/play/${child.id}` },
            emoji(AVATARS[child.avatar]),
            el("b", {}, child.name),
            el("span", { class: "stars" }, `★ ${count(child.stars, "star", "stars")}`),
          ),
          el(
            "p", { class: "small" },
            el("a", { href: `#/garden/${child.id}`, "aria-label": `${child.name}'s meadow` }, "Meadow"),
            el("a", { href: `#/child/${child.id}`, "aria-label": `Change ${child.name}` }, "Change"),
          ),
        )),
      children.length < 8 &&
        el("li", { class: "member" }, el("a", { class: "card add", href: "#/child" }, el("span", { class: "emoji", "aria-hidden": "true" }, "+"), el("b", {}, "Add a child"))),
    ),
  );
}

export async function childForm(id) {
  const child = id ? (await get("/api/children")).find((one) => one.id === id) : null;
  const problem = el("p", { class: "problem", role: "alert" });
  const name = el("input", { id: "name", name: "name", maxlength: 20, required: true, autocomplete: "off", value: child?.name ?? "" });
  const form = el(
    "form", { class: "card child", onsubmit: save },
    el("h1", {}, child ? `Change ${child.name}` : "Who is going to play?"),
    el("label", { for: "name" }, "Name"), name,
    el(
      "fieldset", {},
      el("legend", {}, "Choose a friend"),
      el("div", { class: "avatars" },
        ...Object.entries(AVATARS).map(([key, picture], number) =>
          el("label", { class: "avatar" },
            el("input", { type: "radio", name: "avatar", value: key, checked: child ? child.avatar === key : number === 0 }),
            emoji(picture), el("span", { class: "hidden" }, capital(key))))),
    ),
    problem,
    el("button", { class: "go", type: "submit" }, child ? "Save" : "Let's go"),
    child && el("button", { class: "link danger", type: "button", onclick: remove }, `Remove ${child.name} and all stars`),
    el("a", { class: "link", href: "#/" }, "Back"),
  );

  async function save(event) {
    event.preventDefault();
    const portrait = { name: name.value, avatar: new FormData(form).get("avatar") };
    try {
      if (child) await write("PUT", `/api/children/${child.id}`, portrait);
      const saved = child ?? (await write("POST", "/api/children", portrait));
      location.hash = child ? "#/" : `#/play/${saved.id}`;
    } catch (refused) {
      problem.textContent = refused.message;
    }
  }

  async function remove() {
    if (!confirm(`Remove ${child.name}? The stars cannot be brought back.`)) return;
    await write("DELETE", `/api/children/${child.id}`);
    location.hash = "#/";
  }

  show(form);
}
