/**
 * How often a fault is tried: `npm test` takes the few that a change must not break, `npm run faults`
 * (`TIDEMARK_FAULTS=full`) as many as find what nobody thought of.
 */
export function bounded(few: number, many: number): number {
  return process.env.TIDEMARK_FAULTS === 'full' ? many : few;
}
