// The progress staircase: every experiment a dot, wins labelled, the best line.
// Law: whatever the picture shows can be reached by keyboard and is said in words.
import { html, useEffect, useMemo, useRef, useState, useStore, useTheme, useWidth } from "../lib/ui.js";
import d3 from "../vendor/d3.js";
import { cssColour, familyColours, familyName, kindOf, peerColour } from "../lib/families.js";
import { age, count, counted, metric, signed } from "../lib/format.js";
import { draw, scalesFor } from "../lib/staircase.js";
import { baselineOf, dotsOf, rangeOf, statesOf, stepsOf } from "../lib/story.js";
import { called, own, plain, shortened } from "../lib/text.js";
import { Choice, Empty, Hexagon, Panel, winAddress } from "./bits.js";

const REACH = 26;
const LEGEND = 14;

export function Progress({ store }) {
  const trials = useStore(store, (state) => state.trials);
  const status = useStore(store, (state) => state.status);
  const lineage = useStore(store, (state) => state.lineage);
  const board = useStore(store, (state) => state.leaderboard);
  const [colouring, setColouring] = useState("family");
  const [across, setAcross] = useState("number");
  const [only, setOnly] = useState(null);
  const story = useMemo(
    () => status && tell(trials, status, lineage, board),
    [trials, status?.baseline, status?.task?.id, lineage, board],
  );
  const tools = html`
    <${Choice} label="Colour by" value=${colouring} onPick=${(key) => (setColouring(key), setOnly(null))} options=${[
      ["family", "By family"],
      ["node", "By node"],
    ]} />
    <${Choice} label="Spread by" value=${across} onPick=${setAcross} options=${[
      ["number", "In order"],
      ["time", "Over time"],
    ]} />
  `;
  const note = story?.total
    ? `${counted(story.total, "experiment")}${story.failed ? `, ${count(story.failed)} ended without a value` : ""}`
    : "";
  return html`
    <${Panel} id="progress" title="Progress" size="w12" note=${note} tools=${story?.dots.length ? tools : null}>
      ${story?.dots.length ? html`<${Picture} story=${story} task=${status.task} colouring=${colouring} byTime=${across === "time"} only=${only} onOnly=${setOnly} />` : html`<${NoPicture} status=${status} trials=${trials} />`}
    <//>
  `;
}

function tell(trials, status, lineage, board) {
  const { dots, failed, total } = dotsOf(trials, statesOf(lineage, board));
  const baseline = baselineOf(status, trials);
  const steps = stepsOf(dots, baseline, status.task);
  return {
    dots,
    failed,
    total,
    baseline,
    steps,
    range: rangeOf(dots, steps, baseline, status.task),
    wins: dots.filter((dot) => dot.record),
  };
}

const NoPicture = ({ status, trials }) => html`
  <${Empty} title=${status?.baseline === null ? "Waiting for the baseline" : "Waiting for the first result"}>
    ${trials === null ? "Reading what was tried …" : "Every finished experiment becomes a dot here, this machine's and its peers'. What is better than everything before takes the line a step down."}
  <//>
`;

function groupsOf(dots, colouring) {
  const keyOf = colouring === "family" ? (dot) => dot.family : (dot) => dot.author;
  const groups = d3.rollups(dots, (group) => ({ size: group.length, first: group[group.length - 1] }), keyOf);
  return { keyOf, groups: groups.sort((a, b) => b[1].size - a[1].size) };
}

function Picture({ story, task, colouring, byTime, only, onOnly }) {
  const box = useRef(null);
  const canvas = useRef(null);
  const theme = useTheme();
  const width = useWidth(box);
  const height = width < 560 ? 340 : 420;
  const [near, setNear] = useState(null);
  const { keyOf, groups } = useMemo(() => groupsOf(story.dots, colouring), [story, colouring]);
  const dots = useMemo(
    () => (only === null ? story.dots : story.dots.filter((dot) => keyOf(dot) === only)),
    [story, only, keyOf],
  );
  const scales = useMemo(
    () =>
      width && scalesFor({ width, height, range: story.range, dots: story.dots, total: story.total, byTime }),
    [width, height, story, byTime],
  );
  const nearest = useMemo(() => finder(dots, scales), [scales, dots]);
  useEffect(() => {
    if (!scales) return;
    const families = familyColours();
    const dark = theme === "dark";
    const colourOf =
      colouring === "family" ? (dot) => families[kindOf(dot.family)] : (dot) => peerColour(dot.author, dark);
    const ink = {
      grid: cssColour("grid"),
      strong: cssColour("line-strong"),
      faint: cssColour("ink-faint"),
      soft: cssColour("ink-soft"),
      ink: cssColour("ink"),
      card: cssColour("card"),
      accent: cssColour("accent"),
      bad: cssColour("bad"),
      font: `12px ${cssColour("sans")}`,
    };
    draw(canvas.current, {
      width,
      height,
      ink,
      scales,
      dots,
      colourOf,
      byTime,
      shown: dots.length,
      steps: only === null ? story.steps : story.steps.filter((dot) => keyOf(dot) === only),
      baseline: story.baseline,
      goal: task.goal,
      yName: `${plain(task.metric)}, ${task.direction === "maximize" ? "higher" : "lower"} is better`,
      up: task.direction === "maximize",
    });
  }, [scales, dots, theme, colouring]);
  const reach = useReach({ nearest, scales, story, setNear, near });
  return html`
    <div class="picture" ref=${box} tabindex="0" role="group" aria-roledescription="chart" aria-describedby="near"
      aria-label=${`Progress over ${counted(story.total, "experiment")}, ${counted(story.wins.length, "win")}. Arrow keys go through the wins, Enter opens one.`}
      onMouseMove=${reach.move} onMouseLeave=${reach.leave} onClick=${reach.open} onKeyDown=${reach.key} onBlur=${reach.leave}>
      <canvas ref=${canvas} style=${{ width: `${width}px`, height: `${height}px` }} aria-hidden="true"></canvas>
      ${near && scales ? html`<${Tip} dot=${near} at=${scales.place(near)} width=${width} />` : null}
    </div>
    <p class="unseen" id="near" aria-live="polite">${near ? describe(near) : ""}</p>
    <${Legend} groups=${groups} colouring=${colouring} only=${only} onOnly=${onOnly} dark=${theme === "dark"} />
  `;
}

/** Gives the dot nearest to a point; what it needs for that is made when it is first asked. */
function finder(dots, scales) {
  let tree = null;
  return (x, y) => {
    if (!scales) return null;
    const across = (dot) => scales.place(dot)[0];
    const down = (dot) => scales.place(dot)[1];
    tree ??= d3.quadtree(dots, across, down);
    return tree.find(x, y, REACH) ?? null;
  };
}

/** What a pointer and a keyboard do to the picture. */
function useReach({ nearest, scales, story, setNear, near }) {
  const move = (event) => {
    const edge = event.currentTarget.getBoundingClientRect();
    setNear(nearest(event.clientX - edge.left, event.clientY - edge.top));
  };
  const open = () => {
    if (near?.record) location.hash = winAddress(near.record);
  };
  const key = (event) => {
    const { wins } = story;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "Enter") open();
    if (event.key === "Escape") setNear(null);
    if (!step || !wins.length || !scales) return;
    event.preventDefault();
    const at = near ? wins.findIndex((dot) => dot.record === near.record) : step > 0 ? -1 : wins.length;
    setNear(wins[Math.min(wins.length - 1, Math.max(0, at + step))]);
  };
  return { move, open, key, leave: () => setNear(null) };
}

const OUTCOMES = {
  win: "kept",
  promising: "promising, not proven",
  no_gain: "no gain",
  equal: "the same script",
  crashed: "crashed",
  timed_out: "took too long",
  out_of_memory: "out of memory",
  diverged: "diverged",
  dropped: "dropped",
};

const describe = (dot) =>
  `Experiment ${dot.number}: ${shortened(plain(dot.title), 90)}, by ${called(dot.nickname, dot.author)}, ${plain(familyName(dot.family))}: ${metric(dot.value)}, ${signed(dot.effect)} against its base; ${dot.state ?? own(OUTCOMES, dot.outcome) ?? ""}.`;

function Tip({ dot, at: [x, y], width }) {
  const left = Math.min(Math.max(8, x - 130), width - 268);
  const below = y < 150;
  return html`
    <div class="tip" aria-hidden="true" style=${{ left: `${left}px`, top: `${below ? y + 14 : y - 14}px`, transform: below ? "none" : "translateY(-100%)" }}>
      <b><bdi>${shortened(plain(dot.title), 80)}</bdi></b>
      <span class="number">${metric(dot.value)} <span class="soft">(${signed(dot.effect)} in ${counted(dot.pairs, "pair")})</span></span>
      <span class="soft"><bdi>${shortened(called(dot.nickname, dot.author), 28)}</bdi> · <bdi>${shortened(plain(familyName(dot.family)), 24)}</bdi> · ${age(dot.time, Date.now())}</span>
      <span class="soft">#${count(dot.number)} · ${dot.state ?? own(OUTCOMES, dot.outcome) ?? ""}${dot.record ? " · click to open" : ""}</span>
    </div>
    <svg class="ring" width="20" height="20" style=${{ left: `${x - 10}px`, top: `${y - 10}px` }} aria-hidden="true"><circle cx="10" cy="10" r="8"></circle></svg>
  `;
}

function Legend({ groups, colouring, only, onOnly, dark }) {
  return html`
    <div class="legend">
      <div class="legend-groups" role="group" aria-label=${`Show only one ${colouring}`}>
        ${groups.slice(0, LEGEND).map(
          ([key, { size, first }]) => html`
          <button type="button" key=${key} class=${`legend-item family-${colouring === "family" ? kindOf(key) : "none"}`} aria-pressed=${String(only === key)} onClick=${() => onOnly(only === key ? null : key)}>
            ${colouring === "family" ? html`<i></i>` : html`<${Hexagon} peer=${key} dark=${dark} size=${12} />`}
            <bdi>${shortened(colouring === "family" ? plain(familyName(key)) : called(first.nickname, key), 24)}</bdi>
            <span class="faint number">${count(size)}</span>
          </button>`,
        )}
        ${groups.length > LEGEND ? html`<span class="faint">and ${count(groups.length - LEGEND)} more</span>` : null}
      </div>
      <ul class="key faint" aria-label="Key">
        <li><svg width="14" height="14" aria-hidden="true"><circle class="key-full" cx="7" cy="7" r="5"></circle></svg>replicated win</li>
        <li><svg width="14" height="14" aria-hidden="true"><circle class="key-ring" cx="7" cy="7" r="4.4"></circle></svg>claimed win</li>
        <li><svg width="14" height="14" aria-hidden="true"><circle class="key-dot" cx="7" cy="7" r="2.6"></circle></svg>not kept</li>
      </ul>
    </div>
  `;
}
