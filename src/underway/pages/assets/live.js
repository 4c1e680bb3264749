// The pages work without this script. It keeps them fresh, follows logs, and hands in the one-time code.
(() => {
  "use strict";
  const MOST_LINES = 500;

  const entry = document.getElementById("enter-code");
  if (entry && location.hash.length > 1) {
    entry.value = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    entry.form.requestSubmit();
  }

  const isAlike = (one, two) =>
    one.nodeType === two.nodeType && one.nodeName === two.nodeName && (one.id || "") === (two.id || "");

  // Makes `now` look like `wanted` and leaves alone what is the same: focus, selection and open details stay.
  function morph(now, wanted) {
    if (now.nodeType !== Node.ELEMENT_NODE) {
      if (now.nodeValue !== wanted.nodeValue) now.nodeValue = wanted.nodeValue;
      return;
    }
    for (const { name } of [...now.attributes]) {
      if (!wanted.hasAttribute(name) && name !== "open") now.removeAttribute(name);
    }
    for (const { name, value } of wanted.attributes) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
    const children = [...wanted.childNodes];
    children.forEach((child, place) => {
      const there = now.childNodes[place];
      if (!there) now.appendChild(child);
      else if (isAlike(there, child)) morph(there, child);
      else now.replaceChild(child, there);
    });
    while (now.childNodes.length > children.length) now.lastChild.remove();
  }

  function follow(target) {
    const source = new EventSource(target.dataset.live);
    const lamp = document.getElementById("lamp");
    const say = (isOn) => {
      if (lamp) {
        lamp.className = isOn ? "lamp on" : "lamp off";
        lamp.textContent = isOn ? "live" : "not connected";
      }
    };
    source.addEventListener("open", () => say(true));
    source.addEventListener("error", () => say(false));
    source.addEventListener("over", () => {
      source.close();
      location.reload();
    });
    source.addEventListener("part", (event) => {
      const page = new DOMParser().parseFromString(event.data, "text/html");
      const part = page.getElementById(target.id);
      if (part) morph(target, part);
    });
    source.addEventListener("line", (event) => {
      const page = new DOMParser().parseFromString(event.data, "text/html");
      const isAtEnd = target.scrollHeight - target.scrollTop - target.clientHeight < 40;
      target.append(...page.body.childNodes);
      while (target.childElementCount > MOST_LINES) target.firstElementChild.remove();
      if (isAtEnd) target.scrollTop = target.scrollHeight;
    });
    addEventListener("pagehide", () => source.close());
  }

  document.querySelectorAll("[data-live]").forEach(follow);
  document.querySelectorAll("[data-end]").forEach((it) => { it.scrollTop = it.scrollHeight; });
})();
