// Draws the progress picture on a canvas: dots, the best line, labels of its steps.
// Law: draws what it is given and keeps nothing; ten thousand dots cost a few milliseconds.
import d3 from "../vendor/d3.js";
import { clock, metric } from "./format.js";
import { plain, shortened } from "./text.js";

const FULL_TURN = 2 * Math.PI;
const LABELS = 26;
const NAMED_ANYWHERE = 6;
const NARROW = 560;
const MANY = 3000;

/** Room around the picture, in CSS pixels. */
export const marginsFor = (width) => ({
  top: 18,
  right: width < NARROW ? 14 : 22,
  bottom: 34,
  left: width < NARROW ? 46 : 60,
});

/** Scales of a picture; `byTime` spreads the experiments over the clock. */
export function scalesFor({ width, height, range, dots, total, byTime }) {
  const m = marginsFor(width);
  const times = d3.extent(dots, (dot) => dot.time);
  const domain = byTime
    ? times[0] === times[1]
      ? [times[0] - 6e4, times[1] + 6e4]
      : times
    : [0, Math.max(1, total) + 0.5];
  const x = (byTime ? d3.scaleTime() : d3.scaleLinear()).domain(domain).range([m.left, width - m.right]);
  const y = d3
    .scaleLinear()
    .domain(range)
    .range([height - m.bottom, m.top]);
  const place = (dot) => [
    x(byTime ? dot.time : dot.number),
    Math.min(height - m.bottom, Math.max(m.top, y(dot.value))),
  ];
  return { x, y, place, m };
}

/** Draw it all. `ink` holds colours, `colourOf` gives a dot's. */
export function draw(canvas, picture) {
  const { width, height, ink } = picture;
  const ratio = Math.min(3, devicePixelRatio || 1);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  pen.clearRect(0, 0, width, height);
  pen.font = ink.font;
  axes(pen, picture);
  crowd(pen, picture);
  line(pen, picture);
  wins(pen, picture);
  labels(pen, picture);
}

function axes(pen, { width, height, ink, scales: { x, y, m }, byTime, baseline, goal, yName }) {
  pen.strokeStyle = ink.grid;
  pen.fillStyle = ink.faint;
  pen.lineWidth = 1;
  pen.textBaseline = "middle";
  pen.textAlign = "right";
  for (const tick of y.ticks(Math.max(3, Math.floor(height / 70)))) {
    const at = Math.round(y(tick)) + 0.5;
    stroke(pen, m.left, at, width - m.right, at);
    pen.fillText(y.tickFormat(6)(tick).replace("-", "−"), m.left - 9, at);
  }
  pen.textAlign = "center";
  const ticks = x
    .ticks(Math.max(2, Math.floor(width / 110)))
    .filter((tick) => byTime || Number.isInteger(tick));
  for (const tick of ticks) {
    const name = byTime ? clock(+tick).slice(0, 5) : x.tickFormat(6)(tick);
    pen.fillText(name, Math.max(m.left + 4, x(tick)), height - m.bottom + 16);
  }
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  pen.fillText(yName, 4, m.top - 6);
  level(pen, baseline, "baseline", "right", { width, height, ink, y, m });
  level(pen, goal, "goal", "left", { width, height, ink, y, m });
}

function level(pen, value, name, side, { width, height, ink, y, m }) {
  if (value === null || value === undefined) return;
  const at = y(value);
  if (at < m.top || at > height - m.bottom) return;
  pen.save();
  pen.strokeStyle = ink.strong;
  pen.setLineDash([4, 4]);
  stroke(pen, m.left, at, width - m.right, at);
  pen.restore();
  pen.fillStyle = ink.soft;
  pen.textAlign = side;
  pen.fillText(`${name} ${metric(value)}`, side === "right" ? width - m.right - 2 : m.left + 6, at - 6);
  pen.textAlign = "left";
}

/** Everything that was not kept: one path for each colour; very many are drawn as squares. */
function crowd(pen, { dots, colourOf, scales: { place }, shown }) {
  const many = shown > MANY;
  const size = many ? 1.4 : shown > 600 ? 2.2 : 3;
  const groups = d3.group(
    dots.filter((dot) => !dot.record),
    colourOf,
  );
  for (const [colour, group] of groups) {
    pen.beginPath();
    for (const dot of group) {
      const [x, y] = place(dot);
      if (many) pen.rect(x - size, y - size, 2 * size, 2 * size);
      else pen.moveTo(x + size, y), pen.arc(x, y, size, 0, FULL_TURN);
    }
    pen.globalAlpha = many ? 0.38 : 0.5;
    pen.fillStyle = colour;
    pen.fill();
  }
  pen.globalAlpha = 1;
}

/** The best so far, from the baseline to now. */
function line(pen, { steps, baseline, scales: { x, y, place }, ink, width, scales }) {
  if (!steps.length) return;
  const first = place(steps[0]);
  const path = new Path2D();
  const begin = baseline === null ? first[1] : y(baseline);
  path.moveTo(scales.m.left, begin);
  let level = begin;
  for (const step of steps) {
    const [across, down] = place(step);
    path.lineTo(across, level);
    path.lineTo(across, down);
    level = down;
  }
  path.lineTo(Math.min(width - scales.m.right, x.range()[1]), level);
  pen.strokeStyle = ink.accent;
  pen.lineWidth = 2.2;
  pen.lineJoin = "round";
  pen.stroke(path);
}

/** Wins: full once others have replicated them, a ring before, crossed out when refuted. */
function wins(pen, { dots, colourOf, scales: { place }, ink, shown }) {
  const size = shown > MANY ? 3.2 : 5;
  for (const dot of dots) {
    if (!dot.record) continue;
    const [x, y] = place(dot);
    pen.beginPath();
    pen.arc(x, y, size, 0, FULL_TURN);
    pen.lineWidth = 2;
    const colour = colourOf(dot);
    if (dot.state === "replicated") {
      pen.fillStyle = colour;
      pen.fill();
      pen.strokeStyle = ink.card;
      pen.lineWidth = 1.3;
      pen.stroke();
    } else {
      pen.fillStyle = ink.card;
      pen.fill();
      pen.strokeStyle = dot.stands ? colour : ink.bad;
      pen.stroke();
      if (!dot.stands) {
        stroke(pen, x - size * 0.6, y - size * 0.6, x + size * 0.6, y + size * 0.6);
        stroke(pen, x - size * 0.6, y + size * 0.6, x + size * 0.6, y - size * 0.6);
      }
    }
  }
}

/** Titles of the steps in the free half beyond the line, the longest steps first; none overlaps. */
function labels(pen, { steps, baseline, scales: { place, m }, ink, width, height, up }) {
  const taken = steps.map((dot) => around(place(dot), 6));
  pen.textBaseline = "middle";
  let left = LABELS;
  const length = (dot, index) =>
    Math.abs(dot.value - (index ? steps[index - 1].value : (baseline ?? dot.value)));
  const lengths = new Map(steps.map((dot, index) => [dot, length(dot, index)]));
  for (const dot of [...steps].sort((a, b) => lengths.get(b) - lengths.get(a))) {
    if (!left) return;
    const text = shortened(plain(dot.title), width < NARROW ? 26 : 38);
    const [x, y] = place(dot);
    const wide = pen.measureText(text).width;
    const room = { taken, width, height, m };
    const box =
      freeBox(x, y, wide, up ? -1 : 1, room) ??
      (width >= NARROW && left > LABELS - NAMED_ANYWHERE ? freeBox(x, y, wide, up ? 1 : -1, room) : null);
    if (!box) continue;
    taken.push(box);
    left -= 1;
    pen.strokeStyle = ink.strong;
    pen.lineWidth = 1;
    stroke(pen, x, y + (box.y < y ? -7 : 7), box.x0 > x ? box.x0 - 1 : box.x1 + 1, box.y);
    pen.textAlign = "left";
    pen.lineWidth = 3.5;
    pen.strokeStyle = ink.card;
    pen.strokeText(text, box.x0 + 2, box.y);
    pen.fillStyle = ink.ink;
    pen.fillText(text, box.x0 + 2, box.y);
  }
}

const around = ([x, y], size) => ({ x0: x - size, x1: x + size, y0: y - size, y1: y + size, y });

function freeBox(x, y, textWidth, side, { taken, width, height, m }) {
  const wide = textWidth + 4;
  for (const offset of [14, 29, 44, 60, 78, 98]) {
    for (const from of [x - wide - 6, x + 8]) {
      const middle = y + side * offset;
      const box = { x0: from, x1: from + wide, y0: middle - 8, y1: middle + 8, y: middle };
      const inside =
        box.x0 > m.left + 2 && box.x1 < width - 4 && box.y0 > m.top && box.y1 < height - m.bottom - 2;
      if (
        inside &&
        !taken.some(
          (other) => box.x0 < other.x1 && other.x0 < box.x1 && box.y0 < other.y1 && other.y0 < box.y1,
        )
      )
        return box;
    }
  }
  return null;
}

function stroke(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}
