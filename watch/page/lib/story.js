// What the swarm has found, worked out of what the node tells.
// Law: pure; the same state gives the same story, and nothing is better than it is.

/** Whether `value` is better than `than` in this task. */
export const better = (task, value, than) => (task.direction === "maximize" ? value > than : value < than);

/** How good an effect is: above 0 helps, whichever way the metric goes. */
export const gainOf = (task, effect) => (task.direction === "maximize" ? effect : -effect);

/** The leading finding that nobody has refuted; null where there is none. */
export function leader(leaderboard) {
  return (
    leaderboard?.entries.find((entry) => entry.state === "replicated" || entry.state === "claimed") ?? null
  );
}

const middle = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : null;
};

/** The baseline's value: as measured here, else as all experiments on it say. */
export function baselineOf(status, trials) {
  const measured = (trials?.trials ?? []).filter(
    (trial) => trial.base === null && Number.isFinite(trial.base_value),
  );
  return middle(measured.map((trial) => trial.base_value)) ?? status?.baseline ?? null;
}

/** How far from the baseline to the goal the best is, 0 to 1; null without a goal. */
export function wayToGoal(task, baseline, best) {
  if (task?.goal == null || baseline === null || best === null || task.goal === baseline) return null;
  return Math.min(1, Math.max(0, (best - baseline) / (task.goal - baseline)));
}

/** The state of every known win, by record. */
export function statesOf(lineage, leaderboard) {
  const states = new Map();
  for (const node of lineage?.nodes ?? []) states.set(node.record, node.state);
  for (const entry of leaderboard?.entries ?? []) states.set(entry.record, entry.state);
  return states;
}

/** The experiments that made a new best, the oldest first; `from` is the baseline. */
export function stepsOf(dots, from, task) {
  const steps = [];
  let best = from;
  for (const dot of dots) {
    if (!dot.stands || (best !== null && !better(task, dot.value, best))) continue;
    steps.push(dot);
    best = dot.value;
  }
  return steps;
}

/** Dots of the staircase: every experiment that was measured, numbered as it ended. */
export function dotsOf(trials, states) {
  const ordered = [...(trials?.trials ?? [])].sort(
    (a, b) => a.finished_at_ms - b.finished_at_ms || a.seq - b.seq,
  );
  const dots = [];
  let failed = 0;
  ordered.forEach((trial, index) => {
    if (!Number.isFinite(trial.value)) {
      failed += 1;
      return;
    }
    const won = trial.outcome === "win" && trial.record !== null;
    const state = won ? (states.get(trial.record) ?? "claimed") : null;
    dots.push({
      number: index + 1,
      value: trial.value,
      effect: trial.effect,
      time: trial.finished_at_ms,
      title: trial.title,
      family: trial.family,
      author: trial.author,
      nickname: trial.nickname,
      own: trial.own,
      outcome: trial.outcome,
      pairs: trial.pairs,
      record: won ? trial.record : null,
      state,
      stands: state === "claimed" || state === "replicated",
    });
  });
  return { dots, failed, total: ordered.length };
}

/** The range of values that tells the story: a little beyond the best and the baseline. */
export function rangeOf(dots, steps, baseline, task) {
  const told = steps.map((dot) => dot.value);
  if (baseline !== null) told.push(baseline);
  if (!steps.length) told.push(...dots.map((dot) => dot.value));
  const typical = middle(dots.map((dot) => dot.value));
  if (typical !== null) told.push(typical);
  if (!told.length) return [0, 1];
  const low = told.reduce((a, b) => Math.min(a, b));
  const high = told.reduce((a, b) => Math.max(a, b));
  const span = high - low || Math.abs(high) * 0.02 || 1e-6;
  return task.direction === "maximize"
    ? [low - 0.3 * span, high + 0.2 * span]
    : [low - 0.2 * span, high + 0.3 * span];
}
