// Text from peers, as visible characters on their own line.
// Law: the same as swarm/visible_text.py: nothing invisible, nothing that turns the
// direction of writing, no letter with more than four marks. Markup is never made of it.
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;
const SMEAR = /([\p{Mn}\p{Me}]{4})[\p{Mn}\p{Me}]+/gu;
const PRINTABLE = /^[\x20-\x7e]*$/;

const visible = (text) => (PRINTABLE.test(text) ? text : text.replace(INVISIBLE, "").replace(SMEAR, "$1"));

/** `text` as one line. */
export const plain = (text) =>
  visible(
    String(text ?? "")
      .split(/\s+/u)
      .join(" ")
      .trim(),
  );

/** `text` as lines; only a newline ends one. */
export const plainLines = (text) =>
  String(text ?? "")
    .split("\n")
    .map((line) => visible(line.replaceAll("\t", "    ")));

/** `text`, cut to `length` characters with an ellipsis where it is longer. */
export function shortened(text, length) {
  const letters = [...text];
  return letters.length <= length
    ? text
    : letters
        .slice(0, length - 1)
        .join("")
        .trimEnd() + "…";
}

/** What a table says of a word that a peer may have written; undefined where nothing. */
export const own = (table, word) => (Object.hasOwn(table, word) ? table[word] : undefined);

/** The end of a record id, enough for `swarm show`. */
export const shortId = (id) => String(id).slice(-10);

/** How a peer is called: its nickname, or the end of its id. */
export const called = (nickname, peerId) =>
  plain(nickname) || (peerId ? `peer ${String(peerId).slice(-6)}` : "a peer");

/** An address that may be followed from a page: https, or nothing. */
export function safeLink(url) {
  try {
    const parsed = new URL(url);
    return parsed.protocol === "https:" ? parsed.href : null;
  } catch {
    return null;
  }
}
