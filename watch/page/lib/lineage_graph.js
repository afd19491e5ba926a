// Which wins the lineage shows, and what it knows of each.
// Law: pure; an edge from a win that is not shown starts at one box for all earlier ones.
export const BASELINE = "baseline";
export const EARLIER = "earlier";
const CHAIN = 40;

/** The graph of the newest `most` wins and of those that the leader was built on. */
export function graphOf(lineage, most, leader) {
  const byId = new Map(lineage.nodes.map((node) => [node.record, node]));
  const kept = new Set(lineage.nodes.slice(-most).map((node) => node.record));
  const baseOf = new Map(
    lineage.edges.filter((edge) => edge.kind === "base").map((edge) => [edge.to, edge.from]),
  );
  for (let record = leader, left = CHAIN; byId.has(record) && left; record = baseOf.get(record), left -= 1)
    kept.add(record);
  const edges = new Map();
  for (const { from, to, kind } of lineage.edges) {
    if (!kept.has(to) || from === to) continue;
    const start = from === null ? BASELINE : kept.has(from) ? from : EARLIER;
    if (start === EARLIER && kind === "parent") continue;
    edges.set(`${start} ${to} ${kind}`, { from: start, to, kind });
  }
  const drawn = [...edges.values()];
  const origins = [BASELINE, EARLIER].filter((id) => drawn.some((edge) => edge.from === id));
  const nodes = lineage.nodes.filter((node) => kept.has(node.record));
  return {
    nodes,
    edges: drawn,
    byId,
    ids: [...origins, ...nodes.map((node) => node.record)],
    hidden: lineage.total - nodes.length,
  };
}

/** Neighbours for arrow keys: what a win was built on, what was built on it, who stands beside. */
export function neighbour(layout, id, key) {
  const places = new Map(layout.nodes.map((node) => [node.id, node]));
  const here = places.get(id);
  if (!here) return null;
  const near = (ids) =>
    ids
      .map((other) => places.get(other))
      .filter(Boolean)
      .sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y))[0];
  if (key === "ArrowLeft")
    return near(layout.edges.filter((edge) => edge.to === id).map((edge) => edge.from));
  if (key === "ArrowRight")
    return near(layout.edges.filter((edge) => edge.from === id).map((edge) => edge.to));
  const side = key === "ArrowUp" ? -1 : key === "ArrowDown" ? 1 : 0;
  if (!side) return null;
  const beside = layout.nodes.filter(
    (node) => (node.y - here.y) * side > 1 && Math.abs(node.x - here.x) < 60,
  );
  return beside.sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y))[0] ?? null;
}
