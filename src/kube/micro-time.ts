/** metav1.MicroTime, of Leases and Events: exactly six fractional digits, or the API server refuses it. */
export function microTime(date: Date): string {
  return date.toISOString().replace(/Z$/, '000Z');
}
