// What this machine does right now: each experiment, its pairs so far and its running arm.
// Law: tells a newcomer what is happening in words before numbers.
import { html, useNow, useStore } from "../lib/ui.js";
import { count, counted, duration, metric, percent, signed } from "../lib/format.js";
import { gainOf } from "../lib/story.js";
import { called, own, plain, shortened } from "../lib/text.js";
import { Empty, Family, winAddress } from "./bits.js";

export function Now({ store }) {
  const now = useStore(store, (state) => state.now);
  const status = useStore(store, (state) => state.status);
  const clock = useNow(1000);
  const kinds = { experiment: "experiment", check: "check" };
  const note =
    now.length && now[0].kind !== "baseline"
      ? `${counted(now.length, now.every((each) => each.kind === now[0].kind) ? (own(kinds, now[0].kind) ?? "run") : "run")}`
      : "";
  return html`
    <section class="panel w5 tall now" id="now" aria-labelledby="now-title">
      <div class="panel-head">
        <h2 id="now-title" tabindex="-1">This machine, now</h2>
        <span class="note">${note}</span>
      </div>
      ${now.length ? now.map((each) => html`<${Doing} key=${each.number} doing=${each} task=${status?.task} clock=${clock} />`) : html`<${Idle} status=${status} />`}
      ${status?.champion ? html`<p class="builds soft">Builds on ${status.champion.record ? html`<a href=${winAddress(status.champion.record)}><bdi>${shortened(plain(status.champion.title), 60)}</bdi></a>` : html`<b><bdi>${shortened(plain(status.champion.title), 60)}</bdi></b>`}</p>` : null}
    </section>
  `;
}

function Idle({ status }) {
  if (!status) return null;
  if (status.workers === 0)
    return html`<${Empty} title="Observing">This node trains nothing itself. It takes part in the swarm's memory and shows what others find.<//>`;
  if (status.baseline === null)
    return html`<${Empty} title="Getting ready">Data are prepared and the machine is looked at. The baseline is measured next; that is one training run.<//>`;
  return html`<${Empty} title="Choosing the next idea">Nothing is training at this moment.<//>`;
}

const KIND = {
  experiment: "Trying",
  check: "Checking a peer's win",
  baseline: "Measuring the baseline on this machine",
};

function Doing({ doing, task, clock }) {
  const { kind, run, pairs = [] } = doing;
  const head = doing.fresh ? "Found better; measuring again on fresh seeds" : (own(KIND, kind) ?? "Running");
  return html`
    <article class=${`doing ${kind === "check" ? "check" : kind === "baseline" ? "first" : ""}`}>
      <p class="doing-head">
        <span class="spark" aria-hidden="true"></span><span>${head}${kind === "check" ? html` by <bdi>${shortened(called(doing.nickname, ""), 24)}</bdi>` : null}</span>
        <span class="number faint doing-time">${duration((clock - doing.started_at_ms) / 1000)}</span>
      </p>
      <h3>${doing.record ? html`<a href=${winAddress(doing.record)}><bdi>${shortened(plain(doing.title), 100)}</bdi></a>` : html`<bdi>${shortened(plain(doing.title), 100)}</bdi>`}
        ${doing.family ? html` <${Family} family=${doing.family} />` : null}</h3>
      ${kind === "baseline" ? html`<p class="why">The unchanged script, trained once. Every idea will be compared with it on the same seeds.</p>` : null}
      ${doing.why ? html`<p class="why">${shortened(plain(doing.why), 220)}</p>` : null}
      ${pairs.length ? html`<${Pairs} pairs=${pairs} task=${task} />` : null}
      ${run ? html`<${Run} run=${run} kind=${kind} />` : html`<p class="run-note faint">between two runs …</p>`}
    </article>
  `;
}

function Pairs({ pairs, task }) {
  return html`
    <ol class="pairs" aria-label="Pairs measured so far, candidate minus base">
      ${pairs.map((pair, index) => {
        const change = pair.candidate - pair.base;
        const helps = task && gainOf(task, change) > 0;
        return html`<li key=${index} class=${helps ? "good" : "bad"} title=${`base ${metric(pair.base)}, candidate ${metric(pair.candidate)}`}><span aria-hidden="true">${helps ? "▲" : "▼"}</span><span class="number">${signed(change)}</span></li>`;
      })}
    </ol>
  `;
}

function Run({ run, kind }) {
  const share = run.budget_tokens ? Math.min(1, run.tokens / run.budget_tokens) : 0;
  const evaluating = run.phase === "evaluate";
  const arm =
    kind === "baseline" ? "baseline" : run.arm === "candidate" ? "with the change" : "without the change";
  const unit = evaluating ? "bytes" : "tokens";
  const name = `${evaluating ? "evaluating" : "training"} ${arm}`;
  return html`
    <div class="run">
      <div class="bar" role="progressbar" aria-label=${name} aria-valuemin="0" aria-valuemax="100" aria-valuenow=${Math.round(share * 100)}>
        <div class=${`bar-fill ${evaluating ? "evaluate" : ""}`} style=${{ transform: `scaleX(${share.toFixed(4)})` }}></div>
      </div>
      <p class="run-note number"><span>${name}, seed ${count(run.seed)}</span><span>${percent(share)} of ${count(run.budget_tokens)} ${unit}${Number.isFinite(run.loss) ? ` · loss ${metric(run.loss, 2)}` : ""}</span></p>
    </div>
  `;
}
