/**
 * What rclone-refusals.ts must never let through, said in another way than there: whether a section that is reached from
 * this one names a program, a folder of the pod, or its memory.
 */
export function foreignRemotes(
  sections: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  first: string,
): boolean {
  const reached = new Set<string>();
  const waiting = [first];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (reached.has(name) || !Object.hasOwn(sections, name)) continue;
    reached.add(name);
    for (const [key, value] of Object.entries(sections[name] ?? {})) {
      const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
      if (/^(ssh|bearer_token_command)$/i.test(key) && text !== '') return true;
      if (/^type$/i.test(key) && /^(local|memory)$/.test(text)) return true;
      if (/^remote$/i.test(key)) waiting.push(text.split(':')[0] ?? '');
      if (/^remote$/i.test(key) && /^[:/.]/.test(text)) return true;
    }
  }
  return false;
}
