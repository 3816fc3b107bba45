"use strict";
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));

const table = document.querySelector("table.sorted");
const points = [...document.querySelectorAll(".point")];
const tip = document.querySelector(".tip");

const STEP = 1000; // rows that are laid out at once; the others wait until they are scrolled to

/* A table whose rows are sorted by a click on a heading and filtered by words and outcomes. */
function working(table) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const tools = document.querySelector(".tools");
  const input = tools.querySelector("input");
  const buttons = [...tools.querySelectorAll("button")];
  const texts = new Map();
  let limit = STEP;

  const text = (row) => {
    if (!texts.has(row)) texts.set(row, [...row.cells].map((cell) => cell.textContent).join(" ").toLowerCase());
    return texts.get(row);
  };
  const show = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = new Set(buttons.filter((one) => one.ariaPressed === "true").map((one) => one.dataset.outcome));
    const away = new Set();
    let count = 0;
    for (const row of body.rows) {
      const outcome = !chosen.size || chosen.has(row.cells[0].textContent);
      const fits = outcome && words.every((word) => text(row).includes(word));
      if (fits) count += 1;
      else away.add(row.id.slice(1));
      row.hidden = !fits || count > limit;
    }
    for (const point of points) point.classList.toggle("away", away.has(point.dataset.row));
    tools.querySelector("output").textContent = away.size ? `${count} of ${rows.length}` : "";
  };

  const worth = (row, index) => {
    const cell = row.cells[index];
    if (!cell || cell.colSpan > 1) return "";
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const words = new Intl.Collator(undefined, { numeric: true });
  const compare = (one, other) =>
    typeof one === "number" && typeof other === "number" ? one - other : words.compare(one, other);
  const sort = (heading, index) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map((row) => [worth(row, index), row]);
    const full = keyed.filter(([value]) => value !== "");
    const empty = keyed.filter(([value]) => value === ""); // at the end, whichever way
    full.sort((one, other) => (down ? -1 : 1) * compare(one[0], other[0]));
    body.replaceChildren(...full.concat(empty).map(([, row]) => row));
    limit = STEP;
    show();
  };

  [...table.tHead.rows[0].cells].forEach((heading, index) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(heading, index));
  });
  let waiting;
  input.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 80);
  });
  for (const button of buttons)
    button.addEventListener("click", () => {
      button.ariaPressed = String(button.ariaPressed !== "true");
      show();
    });
  const frame = table.closest(".scroll");
  frame.addEventListener("scroll", () => {
    if (limit >= rows.length || frame.scrollTop + 2 * frame.clientHeight < frame.scrollHeight) return;
    limit += STEP;
    show();
  });
  const whole = (most) => {
    input.value = "";
    for (const button of buttons) button.ariaPressed = "false";
    limit = most;
    show();
  };
  const find = () => {
    const row = document.getElementById(location.hash.slice(1));
    if (!row?.hidden) return;
    whole(row.sectionRowIndex + STEP);
    row.scrollIntoView();
  };
  addEventListener("beforeprint", () => whole(rows.length));
  addEventListener("hashchange", find);
  tools.hidden = false;
  show();
  find();
}

function naming() {
  let on = null;
  const leave = () => {
    if (!on) return;
    on.classList.remove("on");
    document.getElementById(`r${on.dataset.row}`)?.classList.remove("on");
    on = null;
    tip.hidden = true;
  };
  const enter = (point) => {
    leave();
    on = point;
    on.classList.add("on");
    document.getElementById(`r${on.dataset.row}`)?.classList.add("on");
    tip.textContent = point.dataset.words;
    tip.hidden = false;
    const box = point.querySelector("circle").getBoundingClientRect();
    const left = Math.min(box.right + 8, document.documentElement.clientWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 8;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above < 8 ? box.bottom + 8 : above}px`;
  };
  for (const point of points) {
    const title = point.querySelector("title"); // the browser's own would come a second later
    point.dataset.words = title.textContent;
    title.remove();
    point.addEventListener("pointerenter", () => enter(point));
    point.addEventListener("pointerleave", leave);
    point.addEventListener("click", () => (location.hash = `r${point.dataset.row}`));
  }
  for (const chart of document.querySelectorAll(".scatter .chart")) {
    const own = [...chart.querySelectorAll(".point")];
    own.sort((one, other) => at(one) - at(other));
    chart.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (event.key === "Escape") leave();
      if (event.key === "Enter" && on) location.hash = `r${on.dataset.row}`;
      if (!step) return;
      event.preventDefault();
      const next = own.indexOf(on) + step;
      enter(own[Math.min(Math.max(next, 0), own.length - 1)]);
    });
    chart.addEventListener("blur", leave);
  }
  addEventListener("scroll", leave, { passive: true });
}

function at(point) {
  return Number(point.querySelector("circle").getAttribute("cx"));
}

if (table) working(table);
if (points.length) naming();
