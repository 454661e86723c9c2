// SPDX-License-Identifier: Apache-2.0
// Copy buttons, tabs and the color scheme. Without it pages are complete: tabs stand below one another.
"use strict";

for (const button of document.querySelectorAll("button.copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const code = button.closest(".code").querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent.trimEnd() + "\n");
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

for (const pane of document.querySelectorAll(".tabs")) {
  const panels = [...pane.querySelectorAll(":scope > .tab")];
  const list = document.createElement("div");
  list.setAttribute("role", "tablist");
  const buttons = panels.map((panel, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.id = `${panel.id}-button`;
    button.textContent = panel.dataset.tab;
    button.setAttribute("role", "tab");
    button.setAttribute("aria-controls", panel.id);
    button.addEventListener("click", () => choose(index));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) choose((index + step + panels.length) % panels.length, true);
    });
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", button.id);
    panel.querySelector(".tab-name").hidden = true;
    return button;
  });
  const choose = (chosen, focus) => {
    buttons.forEach((button, index) => {
      button.setAttribute("aria-selected", String(index === chosen));
      button.tabIndex = index === chosen ? 0 : -1;
      panels[index].hidden = index !== chosen;
    });
    if (focus) buttons[chosen].focus();
  };
  list.append(...buttons);
  pane.prepend(list);
  choose(0);
}

const scheme = document.querySelector("button.scheme");
const dark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (document.documentElement.dataset.scheme ?? (dark.matches ? "dark" : "light")) === "dark";
const label = () => { scheme.textContent = isDark() ? "Light" : "Dark"; };
const held = localStorage.getItem("scheme");
if (held) document.documentElement.dataset.scheme = held;
scheme.hidden = false;
label();
dark.addEventListener("change", label);
scheme.addEventListener("click", () => {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.scheme = next;
  localStorage.setItem("scheme", next);
  label();
});

// On a narrow screen the list of pages would come before every page.
const fold = document.querySelector(".fold");
if (fold && matchMedia("(max-width: 900px)").matches) fold.open = false;
