// The first thing to see: what the swarm has found, in a sentence and a meter.
// Law: says only what the numbers say; a claim is called a claim.
import { html, useMemo, useNow, useStore } from "../lib/ui.js";
import { age, count, counted, metric, percent, signed } from "../lib/format.js";
import { baselineOf, gainOf, leader, wayToGoal } from "../lib/story.js";
import { called, plain, shortened } from "../lib/text.js";
import { State, winAddress } from "./bits.js";

const NEWEST = 3;
const STAGES = [
  ["Baseline", "The unchanged script is measured here, once."],
  ["Ideas", "One change at a time, on the same seeds as its base."],
  ["Wins", "What is better by more than chance is kept and told to peers."],
  ["Replication", "Peers measure it again, and build on it."],
];

export function Overview({ store }) {
  const status = useStore(store, (state) => state.status);
  const board = useStore(store, (state) => state.leaderboard);
  const trials = useStore(store, (state) => state.trials);
  const connected = useStore(store, (state) => state.connected);
  const now = useStore(store, (state) => state.now);
  const baseline = useMemo(() => baselineOf(status, trials), [status, trials]);
  if (!status)
    return html`<section class="panel w7 tall" aria-busy="true"><p class="soft">Asking the node what it is doing …</p></section>`;
  const best = leader(board);
  return html`
    <section class="panel w7 tall story" aria-labelledby="story-title">
      <h1 id="story-title" class="unseen">Research Swarm: what this swarm has found</h1>
      ${best ? html`<${Found} status=${status} best=${best} baseline=${baseline} />` : html`<${First} status=${status} now=${now} />`}
      ${best ? html`<${Meter} task=${status.task} baseline=${baseline} best=${best.value} />` : null}
      ${best ? html`<${Newest} entries=${board.entries} />` : null}
      <${Tiles} status=${status} board=${board} trials=${trials} connected=${connected} />
    </section>
  `;
}

function Found({ status, best, baseline }) {
  const { task } = status;
  const total = baseline === null ? null : best.value - baseline;
  const share = baseline ? Math.abs(total / baseline) : null;
  const helps = total !== null && gainOf(task, total) > 0;
  return html`
    <p class="eyebrow">Best ${plain(task.metric)} so far${best.state === "replicated" ? ", confirmed by others" : ", claimed by its author"}</p>
    <p class="figure">
      <span class="number">${metric(best.value)}</span>
      <span class="figure-unit">${plain(task.unit)}</span>
      ${helps ? html`<span class="figure-change good number">${signed(total)} (${percent(share)}) against the baseline</span>` : null}
    </p>
    <p class="lead">
      <a href=${winAddress(best.record)} class="title"><bdi>${shortened(plain(best.title), 90)}</bdi></a>
      <span class="soft"> by </span><b><bdi>${shortened(called(best.nickname, best.author), 32)}</bdi></b>
      <span class="lead-state"><${State} state=${best.state} replications=${best.replications} /></span>
    </p>
  `;
}

function First({ status, now }) {
  const { task } = status;
  const measuring = now.find((each) => each.kind === "baseline");
  const aim = task.direction === "maximize" ? "raise" : "lower";
  const here = !status.workers ? -1 : measuring || status.baseline === null ? 0 : 1;
  let words =
    "The first ideas are being tried. A change is kept only when it is better by more than chance explains, which takes several pairs of runs; most ideas are not.";
  if (measuring || status.baseline === null)
    words =
      "First the unchanged training script is measured on this machine, so that every idea can be compared with it. Then experiments begin by themselves.";
  if (!status.workers && status.workers !== undefined)
    words = "This node observes: it trains nothing itself and shows what its peers find.";
  return html`
    <p class="eyebrow">${plain(task.title ?? task.name)}</p>
    <p class="figure figure-words">No improvement found yet</p>
    <p class="lead soft">This swarm tries to ${aim} <b>${plain(task.metric)}</b> (${plain(task.unit)}) of a training script by experiment. ${words}</p>
    <ol class="stages" aria-label="What happens">
      ${STAGES.map(([name, note], index) => html`<li key=${name} class=${index < here ? "done" : index === here ? "here" : ""} aria-current=${index === here ? "step" : null}><b>${name}</b>${note}</li>`)}
    </ol>
  `;
}

function Meter({ task, baseline, best }) {
  const way = wayToGoal(task, baseline, best);
  if (way === null) return null;
  return html`
    <div class="meter" role="img" aria-label=${`${percent(way)} of the way from the baseline ${metric(baseline)} to the goal ${metric(task.goal)}`}>
      <div class="meter-track"><div class="meter-fill" style=${{ width: `${(way * 100).toFixed(2)}%` }}></div></div>
      <div class="meter-ends number"><span>baseline ${metric(baseline)}</span><span>${percent(way)} of the way</span><span>goal ${metric(task.goal, task.goal % 1 ? undefined : 1)}</span></div>
    </div>
  `;
}

/** The wins that came last, whatever their rank. */
function Newest({ entries }) {
  const clock = useNow(15000);
  const last = useMemo(
    () => [...entries].sort((a, b) => (a.created_at < b.created_at ? 1 : -1)).slice(0, NEWEST),
    [entries],
  );
  return html`
    <div class="newest">
      <h2>Found last</h2>
      <ul>
        ${last.map(
          (entry) => html`<li key=${entry.record}>
          <span><a href=${winAddress(entry.record)}><bdi>${shortened(plain(entry.title), 80)}</bdi></a> <span class="soft">by <bdi>${shortened(called(entry.nickname, entry.author), 20)}</bdi></span></span>
          <span class="number good">${signed(entry.effect)}</span>
          <span class="ago">${age(Date.parse(entry.created_at), clock)}</span>
        </li>`,
        )}
      </ul>
    </div>
  `;
}

function Tiles({ status, board, trials, connected }) {
  const entries = board?.entries ?? [];
  const replicated = entries.filter((entry) => entry.state === "replicated").length;
  const tried = trials?.total ?? board?.experiments ?? 0;
  const peers = connected ?? status.peers;
  const tiles = [
    [count(tried), tried === 1 ? "idea tried" : "ideas tried", `${count(status.experiments)} here`],
    [count(board?.total ?? 0), board?.total === 1 ? "win" : "wins", `${count(status.wins)} found here`],
    [count(replicated), "replicated", "confirmed by others"],
    [count(peers), peers === 1 ? "peer" : "peers", peers ? "connected now" : "working alone"],
  ];
  return html`
    <ul class="tiles" aria-label=${`${counted(tried, "idea")} tried`}>
      ${tiles.map(([figure, name, note]) => html`<li key=${note}><span class="number tile-figure">${figure}</span><span class="tile-name">${name}</span><span class="tile-note">${note}</span></li>`)}
    </ul>
  `;
}
