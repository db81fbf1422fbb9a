/** A stretch of time, in milliseconds since 1970; a moment where both are equal. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What is left of the spans without the holes, within what is shown; in order. */
export function cut(spans: readonly Span[], holes: readonly Span[], shown: Span): readonly Span[] {
  let left = spans.map(({ from, to }) => ({ from: Math.max(from, shown.from), to: Math.min(to, shown.to) }));
  for (const hole of holes)
    left = left.flatMap(({ from, to }) => {
      if (hole.to <= from || hole.from >= to) return [{ from, to }];
      return [
        { from, to: hole.from },
        { from: hole.to, to },
      ].filter((piece) => piece.from < piece.to);
    });
  return left.filter(({ from, to }) => from <= to).toSorted((a, b) => a.from - b.from);
}

/** 0 at the beginning of what is shown, 1 at its end. */
export function fraction(time: number, { from, to }: Span): number {
  return to === from ? 1 : Math.min(1, Math.max(0, (time - from) / (to - from)));
}
