// A layout for any number of wins in one pass: generations from left to right.
// Law: linear in wins and edges; total also where what peers say goes in circles.

/** Places of nodes, a column for each generation, in it as near to what they were built on as can be. */
export function inLayers({ nodes, edges, width, height }, { nodesep, ranksep, marginx, marginy }) {
  const into = new Map(nodes.map((id) => [id, []]));
  for (const edge of edges) into.get(edge.to)?.push(edge.from);
  const rank = new Map();
  for (const id of nodes) rank.set(id, 1 + Math.max(-1, ...into.get(id).map((from) => rank.get(from) ?? -1)));
  const columns = [];
  for (const id of nodes) (columns[rank.get(id)] ??= []).push(id);
  const rows = new Map();
  for (const column of columns) {
    const wish = new Map(
      column.map((id) => [
        id,
        mean(
          into
            .get(id)
            .map((from) => rows.get(from))
            .filter(Number.isFinite),
        ),
      ]),
    );
    column.sort((a, b) => wish.get(a) - wish.get(b));
    let free = -Infinity;
    const shift = (column.length - 1) / 2;
    column.forEach((id, index) => {
      free = Math.max(
        free + 1,
        Math.round(Math.min(wish.get(id), wish.get(column[0]) + index) - (index ? 0 : shift * 0.5)),
      );
      rows.set(id, free);
    });
  }
  const least = Math.min(...rows.values());
  const place = (id) => ({
    id,
    x: marginx + width / 2 + rank.get(id) * (width + ranksep),
    y: marginy + height / 2 + (rows.get(id) - least) * (height + nodesep),
  });
  const places = new Map(nodes.map((id) => [id, place(id)]));
  return {
    nodes: [...places.values()],
    edges: edges.map((edge) => ({
      ...edge,
      points: bend(places.get(edge.from), places.get(edge.to), width),
    })),
    width: 2 * marginx + columns.length * (width + ranksep) - ranksep,
    height: 2 * marginy + (Math.max(...rows.values()) - least) * (height + nodesep) + height,
  };
}

const mean = (values) => (values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : 0);

function bend(from, to, width) {
  const [start, end] = [from.x + width / 2, to.x - width / 2];
  const middle = (start + end) / 2;
  return [
    { x: start, y: from.y },
    { x: middle, y: from.y },
    { x: middle, y: to.y },
    { x: end, y: to.y },
  ];
}
