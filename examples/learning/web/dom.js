// Small pieces every view uses to build the page.

export const AVATARS = {
  fox: "🦊", rabbit: "🐰", bear: "🐻", cat: "🐱", frog: "🐸", owl: "🦉", panda: "🐼", unicorn: "🦄",
};

/** An element: el("button", { class: "big", onclick: f }, "Go"). Attributes that are false or null are left out. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Shows a view and tells screen readers and keyboards that the page has changed. */
export function show(...children) {
  const view = document.getElementById("view");
  view.replaceChildren(...children.filter(Boolean));
  view.querySelector("h1")?.setAttribute("tabindex", "-1");
  view.querySelector(".finish .go, h1")?.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

export function emoji(picture, label) {
  return label
    ? el("span", { class: "emoji", role: "img", "aria-label": label }, picture)
    : el("span", { class: "emoji", "aria-hidden": "true" }, picture);
}

export const capital = (word) => word[0].toUpperCase() + word.slice(1);

export const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
