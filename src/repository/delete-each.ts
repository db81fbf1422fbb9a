const atOnce = 8;

/** One by one, some under way at a time: where a store takes no request for many. */
export async function deleteEach(keys: readonly string[], deleteOne: (key: string) => Promise<void>): Promise<void> {
  const waiting = keys.values();
  const work = async () => {
    for (const key of waiting) await deleteOne(key);
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
