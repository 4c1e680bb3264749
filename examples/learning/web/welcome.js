// The first page: what this is, and the grown-up's account.

import { write } from "./api.js";
import { el, emoji, show } from "./dom.js";

export function welcome(onEnter) {
  let isNew = true;
  const problem = el("p", { class: "problem", role: "alert" });
  const email = el("input", { id: "email", type: "email", name: "email", autocomplete: "email", required: true });
  const password = el("input", {
    id: "password", type: "password", name: "password", minlength: 8, maxlength: 200, required: true,
    "aria-describedby": "password-hint",
  });
  const hint = el("p", { id: "password-hint", class: "hint" });
  const go = el("button", { class: "go", type: "submit" });
  const heading = el("h2", {});
  const other = el("button", { type: "button", class: "link", onclick: () => turn(!isNew) });
  const form = el(
    "form", { class: "card account", onsubmit: enter },
    heading,
    el("label", { for: "email" }, "E-mail address"), email,
    el("label", { for: "password" }, "Password"), password, hint,
    problem, go, other,
  );

  function turn(toNew) {
    isNew = toNew;
    heading.textContent = isNew ? "Make an account" : "Welcome back";
    hint.textContent = isNew ? "8 characters or more. For a parent or a teacher." : "";
    go.textContent = isNew ? "Open the meadow" : "Log in";
    other.textContent = isNew ? "I have an account already" : "I am new here";
    password.setAttribute("autocomplete", isNew ? "new-password" : "current-password");
    problem.textContent = "";
  }

  async function enter(event) {
    event.preventDefault();
    go.disabled = true;
    problem.textContent = "";
    try {
      onEnter(await write("POST", isNew ? "/api/register" : "/api/login", { email: email.value, password: password.value }));
    } catch (refused) {
      problem.textContent = refused.message;
      if (refused.code === "email-taken") {
        turn(false);
        problem.textContent = "This address has an account already: log in instead.";
      }
    } finally {
      go.disabled = false;
    }
  }

  turn(true);
  show(
    el(
      "div", { class: "welcome" },
      el(
        "section", { class: "hello" },
        el("h1", {}, "Every letter grows into a flower"),
        el("p", { class: "lead" }, "See a picture, find its first letter, and watch your meadow bloom. Ten letters take about two minutes."),
        el("div", { class: "parade", "aria-hidden": "true" },
          ...[["A", "🍎"], ["B", "🐻"], ["C", "🐱"]].map(([letter, picture]) => el("div", { class: "flag" }, el("b", {}, letter), emoji(picture)))),
      ),
      form,
    ),
  );
}
